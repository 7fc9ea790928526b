"""A run is prepared before it starts, and what it leaves collected; where either fails, it is one sentence."""

from __future__ import annotations

from pathlib import Path

import nibabel as nib
import numpy as np
import pandas as pd
import pytest

from bundle.data.datalist import write_datalist
from bundle.errors import BundleError
from bundle.study.names import AS_TRAINED
from bundle.study.plan import Study
from bundle.study.runs import collect, is_done, prepare, write_record
from tests.nifti_pairs import write_pair
from tests.study.studies import study_of


def zero_filling_of(dataset_dir: Path, **settings) -> Study:
    settings = {"image_size": 32, "num_workers": 0} | settings
    dataset = {"ixi": {"dataset_dir": str(dataset_dir), "settings": settings}}
    methods = {"zero_filled": {"overlays": ["zero_filled"]}}
    scans = {"r6": {"pattern": "random", "acceleration": 6}}
    changes = {"datasets": dataset, "methods": methods, "scans": scans, "conditions": {}, "tables": {}}
    return study_of(reference="zero_filled", **changes)


def test_a_dataset_that_is_not_there_is_one_sentence(tmp_path):
    study = zero_filling_of(tmp_path / "nowhere")
    with pytest.raises(BundleError) as error:
        prepare(study, study.runs()[0], tmp_path)
    assert str(error.value).startswith(f"The dataset folder {tmp_path / 'nowhere'} does not exist")
    assert "\n" not in str(error.value)


def test_an_image_that_cannot_be_prepared_is_one_sentence(tmp_path):
    t1, t2 = write_pair(tmp_path, "a")
    image = nib.load(t2)
    voxels = image.get_fdata()
    voxels[3, 4, 2] = np.nan
    nib.save(nib.Nifti1Image(voxels.astype(np.float32), image.affine), t2)
    write_datalist({"test": [{"subject": "a", "t1": t1, "t2": t2}]}, tmp_path / "datalist.json")
    study = zero_filling_of(tmp_path)
    with pytest.raises(BundleError, match="a-T2.nii.gz") as error:
        prepare(study, study.runs()[0], tmp_path / "out")
    assert "NaN" in str(error.value) and "\n" not in str(error.value)


def test_a_defect_keeps_its_own_error(tmp_path, monkeypatch):
    monkeypatch.setattr("bundle.data.datalist.DATALIST_NAME", None)
    study = zero_filling_of(tmp_path)
    with pytest.raises(RuntimeError, match="read_datalist"):
        prepare(study, study.runs()[0], tmp_path)


def finished(study: Study, output_dir: Path) -> Path:
    """A run's folder, as a test of one subject leaves it."""
    run = study.runs()[0]
    folder = output_dir / run.folder
    condition = folder / "conditions" / AS_TRAINED
    condition.mkdir(parents=True)
    write_record(run, output_dir, run.record("done"))
    (condition / "condition.json").write_text("{}")
    row = {"subject": "a", "slices": 4, "sampled_acceleration": 5.9, "nmse": 0.1, "psnr": 30.0, "ssim": 0.9}
    pd.DataFrame([row]).to_csv(condition / "metrics.csv", index=False)
    (condition / "metrics_summary.json").write_text('{"parameters": 0, "seconds_per_slice": 0.1}')
    return folder


def test_what_a_run_has_left_is_a_row_for_each_subject(tmp_path):
    study = zero_filling_of(tmp_path / "data")
    folder = finished(study, tmp_path)
    assert is_done(study, study.runs()[0], tmp_path)
    (row,) = collect(study, tmp_path).to_dict("records")
    assert (row["subject"], row["psnr"], row["parameters"], row["training_seconds"]) == ("a", 30, 0, 0)
    assert tmp_path / row["folder"] == folder


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("run.json", '{"status": '),
        ("training.json", "[1]"),
        ("conditions/as_trained/condition.json", "{"),
        ("conditions/as_trained/metrics.csv", None),
        ("conditions/as_trained/metrics.csv", ""),
        ("conditions/as_trained/metrics.csv", "subject,psnr\na,30\n"),
        ("conditions/as_trained/metrics.csv", "subject,psnr\na,30\na,30,0.9\n"),
        ("conditions/as_trained/metrics_summary.json", None),
        ("conditions/as_trained/metrics_summary.json", "null"),
    ],
)
def test_a_damaged_run_is_one_sentence_that_says_what_to_remove(name, content, tmp_path):
    study = zero_filling_of(tmp_path / "data")
    path = finished(study, tmp_path) / name
    path.unlink(missing_ok=True)
    if content is not None:
        path.write_text(content)
    with pytest.raises(BundleError) as error:
        is_done(study, study.runs()[0], tmp_path)
        collect(study, tmp_path)
    assert str(error.value).startswith(f"{path.parent} lacks what its run has written, or it is damaged (")
    assert "remove that folder" in str(error.value) and "\n" not in str(error.value)
