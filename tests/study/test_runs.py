"""What a run reads is prepared before it starts; where that cannot be done, it is one sentence."""

from __future__ import annotations

from pathlib import Path

import nibabel as nib
import numpy as np
import pytest

from bundle.data.datalist import write_datalist
from bundle.errors import BundleError
from bundle.study.plan import Study
from bundle.study.runs import prepare
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
