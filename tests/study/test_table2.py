"""The study of fastMRI's pairs, small, from its files to its table, on files with their schema."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
import yaml

from bundle.study.__main__ import main
from tests.kspace.raw_files import kspace_of, write_fastmri
from tests.study.here import study_here
from tests.study.test_plan import STUDIES

SLICES, HEIGHT, WIDTH, CROP = 4, 64, 44, 32


def write_knees(folder, pairs):
    """``{list: names of pairs}``: PD and PDFS of one knee, which share their texture and their noise."""
    y, x = np.mgrid[-1 : 1 : HEIGHT * 1j, -1 : 1 : WIDTH * 1j]
    inside = (y / 0.45) ** 2 + (x / 0.6) ** 2 < 1
    for name, knees in pairs.items():
        (folder / name).mkdir(parents=True)
        for knee in knees:
            texture = np.random.RandomState(ord(knee)).uniform(0.2, 1, (SLICES, HEIGHT, WIDTH))
            for kind, image in (("pd", 100 * inside * texture), ("pdfs", 60 * inside * (1.4 - texture**2))):
                write_fastmri(folder / name / f"{kind}_{knee}.h5", kspace_of(image.astype(np.float32)), CROP)
        lines = "".join(f"pd_{knee},pdfs_{knee},0.3\n" for knee in knees)
        (folder / f"{name}_split_less.csv").write_text(lines)
    return folder


@pytest.fixture
def small(tmp_path):
    """The shipped study with two methods, each on a scan of its own, one seed and one epoch on a matrix of 32."""
    content = yaml.safe_load(STUDIES["table2"].read_text()) | {"seeds": [0]}
    content["methods"] = {name: content["methods"][name] for name in ("zero_filled", "manet")}
    del content["sweeps"]
    content["tables"]["table2"]["methods"] = ["zero_filled", "manet"]
    content["scans"] = {name: content["scans"][name] for name in ("random_4x", "equispaced_8x")}
    content["methods"]["manet"]["scans"], content["methods"]["zero_filled"]["scans"] = ["random_4x"], ["equispaced_8x"]
    content["settings"] |= {"epochs": 1, "channels": 4, "image_size": CROP, "num_workers": 0, "amp": False}
    path = tmp_path / "table2.yaml"
    path.write_text(yaml.safe_dump(content, sort_keys=False))
    return path


@pytest.mark.slow
def test_it_runs_from_fastmris_files_to_its_table(small, tmp_path, few_resamples):
    knees = write_knees(tmp_path / "knees", {"singlecoil_train": "ab", "singlecoil_val": "c"})
    out = tmp_path / "out"
    assert study_here([str(small), "--output", str(out), "--data", f"knees={knees}", "--devices", "cpu"]) == 0
    results = pd.read_csv(out / "results.csv").set_index(["scan", "method"])
    assert sorted(results.index) == [("equispaced_8x", "zero_filled"), ("random_4x", "manet")]
    assert set(results["subject"]) == {"pdfs_c"} and set(results["slices"]) == {SLICES}
    assert results["psnr"].between(5, 60).all() and results.loc[("random_4x", "manet"), "parameters"] > 0
    table = (out / "tables" / "table2.md").read_text()
    assert "random 4×" in table and "equispaced 8×" in table and "MANet" in table
    report = (out / "report.html").read_text()
    assert "fastMRI knees" in report and "fastmri_equispaced" in report and "0.04" in report


def test_a_dataset_without_its_folder_or_with_an_overlay_that_is_not_there_is_one_sentence(small, tmp_path, capsys):
    asked = [str(small), "--output", str(tmp_path / "out")]
    assert main(asked) == 1
    assert "add --data knees=DIR, a folder as fastmri.yaml reads it" in capsys.readouterr().err
    (tmp_path / "empty").mkdir()
    assert main([*asked, "--data", f"knees={tmp_path / 'empty'}", "--devices", "cpu"]) == 1
    assert "put its two CSV files into" in capsys.readouterr().err
    small.write_text(small.read_text().replace("- fastmri\n", "- fastmrt\n"))
    assert main(asked) == 1
    assert "datasets.knees asks for the overlay" in capsys.readouterr().err
