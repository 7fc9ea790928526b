"""The tables an evaluation leaves: rows, statistics, hash, and that a failure leaves no half-written file."""

from __future__ import annotations

import csv
import json
import math
import statistics
from pathlib import Path

import numpy as np
import pytest

from bundle.errors import BundleError
from bundle.evaluation.alignment_columns import alignment_columns
from bundle.evaluation.metrics import PROFILES
from bundle.evaluation.tables import (
    config_hash,
    format_summary,
    per_subject,
    summarise,
    write_metrics_csv,
    write_summary,
)
from bundle.outputs import atomic_path
from tests.conftest import ALIGNMENT

HEADER = (
    "subject,slices,sampled_acceleration,effective_acceleration,nmse,psnr,ssim,zf_nmse,zf_psnr,zf_ssim,"
    "t1_registered,t1_rotation_degrees,t1_shift_mm,t1_mutual_information_before,t1_mutual_information_after"
)


def record(subject: str, psnr: float = 30.0, **changes) -> dict:
    values = {
        "subject": subject,
        "slices": 40,
        "sampled_acceleration": 5.98,
        "effective_acceleration": 3.61,
        "nmse": 0.0123456789,
        "psnr": psnr,
        "ssim": 0.9,
        "zf_nmse": 0.05,
        "zf_psnr": 25.0,
        "zf_ssim": 0.7,
    }
    return values | alignment_columns(ALIGNMENT) | changes


def test_csv_has_the_agreed_columns_and_a_row_a_subject_in_order(tmp_path):
    write_metrics_csv([record("b", 31.0), record("a", 29.0)], tmp_path / "metrics.csv")
    lines = (tmp_path / "metrics.csv").read_text(encoding="utf-8").split("\n")
    assert lines[0] == HEADER
    assert lines[1] == "a,40,5.980,3.610,0.012346,29.0000,0.90000,0.050000,25.0000,0.70000,1,5,3,0.5,0.75"
    assert [line.split(",")[0] for line in lines[1:]] == ["a", "b", ""]


def test_error_of_a_guide_that_was_checked_is_one_more_column_and_not_a_number_where_it_could_not_be(tmp_path):
    write_metrics_csv([record("a", guide_error=1.25), record("b")], tmp_path / "metrics.csv")
    header, *lines = (tmp_path / "metrics.csv").read_text(encoding="utf-8").split()
    assert header == f"{HEADER},guide_error" and [line.split(",")[-1] for line in lines] == ["1.25", "nan"]


def test_sessions_of_a_subject_become_one_row_with_averaged_metrics_and_added_slices():
    first = record("p", 30.0, slices=40, sampled_acceleration=5.9)
    second = record("p", 32.0, slices=44, sampled_acceleration=6.1, t1_registered=0, t1_shift_mm=0)
    (row,) = per_subject([first, second])
    assert (row["slices"], row["psnr"]) == (84, 31.0)
    assert (row["t1_registered"], row["t1_shift_mm"], row["t1_rotation_degrees"]) == (0.5, 1.5, 5)
    assert row["sampled_acceleration"] == pytest.approx(6.0)


def test_what_the_preprocessing_does_not_report_of_t1_is_not_a_number(tmp_path):
    write_metrics_csv([record("a", **alignment_columns({"registered": False}))], tmp_path / "metrics.csv")
    assert (tmp_path / "metrics.csv").read_text().splitlines()[1].endswith(",0,nan,nan,nan,nan")


def test_names_with_commas_quotes_and_other_alphabets_survive_the_csv(tmp_path):
    names = ['a, "b"', "Łukasz 山田", "$x$"]
    write_metrics_csv([record(name) for name in names], tmp_path / "metrics.csv")
    with (tmp_path / "metrics.csv").open(encoding="utf-8", newline="") as file:
        assert sorted(row["subject"] for row in csv.DictReader(file)) == sorted(names)


def test_summary_has_sample_standard_deviation_over_subjects_not_over_sessions():
    records = [record("a", 30.0), record("a", 34.0), record("b", 29.0), record("c", 36.0)]
    summary = summarise(records, "fastmri_volume", "abc")
    psnr = [32.0, 29.0, 36.0]
    assert summary["n"] == 3 and summary["slices"] == 160
    assert summary["metrics"]["psnr"]["mean"] == pytest.approx(statistics.mean(psnr), abs=1e-4)
    assert summary["metrics"]["psnr"]["std"] == pytest.approx(statistics.stdev(psnr), abs=1e-4)
    assert summary["metrics"]["zf_psnr"] == {"mean": 25.0, "std": 0.0, "n": 3}
    assert summary["sampled_acceleration"] == pytest.approx(5.98)
    assert summary["metric_profile"] == "fastmri_volume"
    assert summary["metric_definition"] == PROFILES["fastmri_volume"]
    assert summary["config_hash"] == "abc"


def test_gain_is_the_paired_difference():
    records = [record("a", 30.0, zf_psnr=24.0), record("b", 40.0, zf_psnr=33.0)]
    gain = summarise(records, "slice", "")["gain"]["psnr"]
    assert gain["mean"] == pytest.approx(6.5)
    assert gain["std"] == pytest.approx(statistics.stdev([6.0, 7.0]), rel=1e-5)


def test_one_subject_has_no_standard_deviation():
    summary = summarise([record("a")], "fastmri_volume", "")
    assert summary["metrics"]["ssim"] == {"mean": 0.9, "std": None, "n": 1}
    assert "±" not in format_summary(summary).splitlines()[2]


def test_values_that_are_not_finite_show_in_the_csv_and_are_null_in_valid_json(tmp_path):
    records = [record("a", math.nan), record("b", 30.0, nmse=0.0, zf_psnr=math.inf)]
    write_metrics_csv(records, tmp_path / "metrics.csv")
    assert ",nan," in (tmp_path / "metrics.csv").read_text()
    summary = summarise(records, "fastmri_volume", "")
    write_summary(summary, tmp_path / "summary.json")
    loaded = json.loads((tmp_path / "summary.json").read_text(), parse_constant=pytest.fail)
    assert loaded["metrics"]["psnr"] == {"mean": None, "std": None, "n": 2}
    assert loaded["metrics"]["ssim"]["mean"] == 0.9
    assert "not finite" in format_summary(summary)


def test_numpy_scalars_are_accepted(tmp_path):
    values = record("a", np.float32(30.5), slices=np.int64(3), sampled_acceleration=np.float64(6))
    write_summary(summarise([values], "fastmri_volume", ""), tmp_path / "s.json")
    assert json.loads((tmp_path / "s.json").read_text())["metrics"]["psnr"]["mean"] == 30.5


def test_console_summary_sets_network_against_zero_filling():
    summary = summarise([record("a", 30.0), record("b", 32.0)], "fastmri_volume", "")
    text = format_summary(summary)
    assert "31.00 ± 1.41" in text and "25.00 ± 0.00" in text and "+6.00 ± 1.41" in text
    assert "2 subjects" in text and "MANet" in text and "zero-filled" in text
    assert max(len(line) for line in text.splitlines()) <= 120


def test_no_record_and_unknown_profile_are_refused():
    with pytest.raises(BundleError, match="no volume"):
        summarise([], "fastmri_volume", "")
    with pytest.raises(BundleError, match="brain"):
        summarise([record("a")], "brain", "")


def test_config_hash_depends_on_values_but_not_on_the_order_of_keys():
    assert config_hash({"a": 1, "b": [1, 2]}) == config_hash({"b": (1, 2), "a": 1})
    assert config_hash({"a": 1}) != config_hash({"a": 2})
    assert config_hash({"a": "1"}) != config_hash({"a": 1})
    assert config_hash({"path": Path("x"), "n": np.float64(0.5)}) == config_hash({"path": "x", "n": 0.5})
    assert len(config_hash({})) == 12 and int(config_hash({}), 16) >= 0


def test_config_hash_refuses_objects_whose_text_changes_from_run_to_run():
    with pytest.raises(BundleError, match="object"):
        config_hash({"network": object()})


def test_a_failed_write_keeps_the_old_file_and_leaves_nothing_beside_it(tmp_path):
    file = tmp_path / "metrics.csv"
    file.write_text("old")
    with pytest.raises(RuntimeError), atomic_path(file) as temporary:
        temporary.write_text("half")
        raise RuntimeError
    with pytest.raises(BundleError):
        write_metrics_csv([], file)
    assert file.read_text() == "old"
    assert list(tmp_path.iterdir()) == [file]


def test_path_that_cannot_be_written_is_named(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(BundleError, match="metrics.csv"):
        write_metrics_csv([record("a")], tmp_path / "file" / "metrics.csv")
