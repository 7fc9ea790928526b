"""``python -m bundle study`` trains, tests, reports and resumes: the smoke study, on small NIfTI pairs."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pandas as pd
import pytest

from bundle.study.__main__ import main
from bundle.study.plan import Study
from bundle.study.results import COLUMNS, collect
from bundle.study.runner import is_done
from bundle.study.study_file import read_study
from tests.bundle_runs import ROOT
from tests.nifti_pairs import write_dataset

SMOKE = ROOT / "configs" / "studies" / "smoke.yaml"
pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def dataset_dir(tmp_path_factory) -> Path:
    return write_dataset(tmp_path_factory.mktemp("data"))


@pytest.fixture(scope="module")
def study(dataset_dir) -> Study:
    return read_study(SMOKE, {"demo": str(dataset_dir)})


@pytest.fixture(scope="module")
def output_dir(dataset_dir, tmp_path_factory) -> Path:
    """The smoke study, run once by its command line's function, on two worker processes."""
    folder = tmp_path_factory.mktemp("study") / "out"
    arguments = [str(SMOKE), "--output", str(folder), "--data", f"demo={dataset_dir}", "--devices", "cpu,cpu"]
    assert main(arguments) == 0
    return folder


def again(output_dir: Path, dataset_dir: Path, *arguments: str) -> subprocess.CompletedProcess:
    """The command line in a process of its own."""
    command = [sys.executable, "-m", "bundle", "study", str(SMOKE), "--output", str(output_dir), *arguments]
    return subprocess.run(
        [*command, "--data", f"demo={dataset_dir}"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=900,
        env=os.environ | {"OMP_NUM_THREADS": "1"},
    )


def test_every_run_is_done_and_says_what_it_took(study, output_dir):
    for run in study.runs():
        assert is_done(study, run, output_dir)
        record = json.loads((output_dir / run.folder / "run.json").read_text())
        assert record["status"] == "done" and record["key"] == run.key
        assert (record["parameters"] > 0) == (record["training_seconds"] > 0) == study.trains(run.method)
        assert record["versions"]["torch"] and record["device"].startswith("CPU")


def test_every_method_took_as_many_steps(study, output_dir):
    records = [
        json.loads((output_dir / run.folder / "run.json").read_text())
        for run in study.runs()
        if study.trains(run.method)
    ]
    assert {record["steps"] for record in records} == {3}  # 18 slices in batches of 8


def test_results_hold_each_tested_subject_of_each_condition(study, output_dir):
    results = pd.read_csv(output_dir / "results.csv")
    assert list(results.columns) == COLUMNS
    assert len(results) == sum(len(study.conditions_of(run)) for run in study.runs())  # the test list has one subject
    assert set(results["method"]) == set(study.methods)
    by_scan = results.groupby("scan")["sampled_acceleration"].unique().to_dict()
    assert {scan: len(values) for scan, values in by_scan.items()} == {"random_6x": 1, "radial_9x": 1}


def test_all_methods_are_tested_on_the_same_scan(study, output_dir):
    for scan in study.scans:
        values = set()
        for run in study.runs():
            if run.scan == scan:
                metrics = pd.read_csv(output_dir / run.folder / "conditions" / "as_trained" / "metrics.csv")
                values.add((metrics["zf_psnr"][0], metrics["zf_ssim"][0]))
        assert len(values) == 1


def test_the_zero_filled_method_measures_what_every_evaluation_says_of_zero_filling(study, output_dir):
    run = next(run for run in study.runs() if run.method == "zero_filled")
    metrics = pd.read_csv(output_dir / run.folder / "conditions" / "as_trained" / "metrics.csv")
    assert metrics["psnr"][0] == pytest.approx(metrics["zf_psnr"][0], abs=1e-3)
    assert metrics["ssim"][0] == pytest.approx(metrics["zf_ssim"][0], abs=1e-4)


def test_a_network_that_never_saw_t1_does_not_notice_its_absence_and_manet_does(study, output_dir):
    results = collect(study, output_dir)
    manet = results[(results["method"] == "manet") & (results["scan"] == "random_6x") & (results["seed"] == 0)]
    psnr = manet.set_index("condition")["psnr"]
    assert psnr["t1_zeroed"] != psnr["as_trained"] != psnr["t1_shifted_2mm"]


def test_a_condition_whose_settings_changed_counts_as_not_tested(study, output_dir):
    run = next(run for run in study.runs() if run.method == "manet")
    shifted = study.conditions["t1_shifted_2mm"]
    changed = replace(study, conditions={**study.conditions, shifted.name: replace(shifted, settings={"guide": None})})
    assert is_done(study, run, output_dir) and not is_done(changed, run, output_dir)
    conditions = collect(changed, output_dir).query("method == 'manet'")["condition"]
    assert shifted.name not in set(conditions) and "t1_zeroed" in set(conditions)


def test_tables_figures_and_report_are_there(output_dir):
    for name in ("table1", "table3"):
        assert {path.suffix for path in (output_dir / "tables").glob(f"{name}*")} == {".md", ".tex", ".csv"}
    kinds = {path.name.split("-")[0] for path in (output_dir / "figures").glob("*.png")}
    assert kinds == {"comparison", "sweep", "quality", "conditions"}
    report = (output_dir / "report.html").read_text(encoding="utf-8")
    assert "Smoke test" in report and "UNet-T2" in report


def test_what_is_done_is_not_done_again(output_dir, dataset_dir):
    weights = {path: path.stat().st_mtime_ns for path in output_dir.glob("runs/**/*.pt")}
    tables = {path: path.read_text() for path in (output_dir / "tables").iterdir()}
    result = again(output_dir, dataset_dir)
    assert result.returncode == 0, result.stderr[-2000:]
    assert {path: path.stat().st_mtime_ns for path in output_dir.glob("runs/**/*.pt")} == weights
    assert {path: path.read_text() for path in (output_dir / "tables").iterdir()} == tables


def test_equal_seeds_give_equal_figures_and_a_lost_test_is_made_again(study, output_dir, dataset_dir, tmp_path):
    run = next(run for run in study.runs() if run.method == "manet")
    metrics = Path("conditions", "as_trained", "metrics.csv")
    copy = tmp_path / "copy"
    shutil.copytree(output_dir / "cache", copy / "cache")
    result = again(copy, dataset_dir, "--methods", "manet", "--threads", "1")
    assert result.returncode == 0, result.stderr[-2000:]
    first = (output_dir / run.folder / metrics).read_text()
    assert (copy / run.folder / metrics).read_text() == first
    shutil.rmtree(copy / run.folder / "conditions" / "as_trained")
    trained = (copy / run.folder / "last.pt").stat().st_mtime_ns
    assert again(copy, dataset_dir, "--methods", "manet", "--threads", "1").returncode == 0
    assert (copy / run.folder / metrics).read_text() == first
    assert (copy / run.folder / "last.pt").stat().st_mtime_ns == trained


def test_a_run_that_fails_is_told_and_the_others_go_on(dataset_dir, tmp_path):
    text = SMOKE.read_text().replace(
        "label: Xiang-style, overlays: [xiang]",
        "label: Xiang-style, overlays: [xiang], settings: {learning_rate: 1.0e+38}",
    )
    path = tmp_path / "broken.yaml"
    path.write_text(text)
    command = [
        sys.executable,
        "-m",
        "bundle.study",
        str(path),
        "--output",
        str(tmp_path / "out"),
        "--threads",
        "1",
        "--methods",
        "xiang,zero_filled",
        "--data",
        f"demo={dataset_dir}",
    ]
    result = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=900)
    assert result.returncode == 1
    assert "lower learning_rate" in result.stderr + result.stdout
    assert "Traceback" not in result.stderr
    assert "zero_filled" in (tmp_path / "out" / "results.csv").read_text()
    assert "diverged" in (tmp_path / "out" / "report.html").read_text()


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["missing.yaml"], "missing.yaml cannot be read"),
        ([str(SMOKE), "--methods", "unet"], "no method 'unet'; it has zero_filled"),
        ([str(SMOKE), "--data", "ixi=."], "no dataset 'ixi', only demo"),
        ([str(SMOKE), "--report-only"], "nothing to report"),
    ],
)
def test_a_mistake_on_the_command_line_is_one_sentence(arguments, sentence, tmp_path, capsys):
    assert main([*arguments, "--output", str(tmp_path)]) == 1
    error = capsys.readouterr().err
    assert error.startswith("Error: ") and sentence in error and error.count("\n") == 1
