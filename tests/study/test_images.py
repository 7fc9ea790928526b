"""A study's runs are of certain images: others have other keys, a copy of them elsewhere has the same."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest

from bundle.data.datalist import write_datalist
from bundle.study.images import images_of
from tests.nifti_pairs import write_pair
from tests.study.studies import study_of


def dataset(folder: Path) -> Path:
    """A list with one pair, by relative paths."""
    t1, t2 = write_pair(folder, "a")
    write_datalist({"test": [{"subject": "a", "t1": t1, "t2": t2}]}, folder / "datalist.json")
    return folder


def keys_of(folder: Path) -> set[str]:
    return {run.key for run in study_of(datasets={"ixi": {"dataset_dir": str(folder)}}).runs()}


def change_one_voxel(path: Path) -> None:
    image = nib.load(path)
    voxels = np.asarray(image.dataobj).copy()
    voxels[voxels.shape[0] // 2, 4, 2] += 1
    nib.save(nib.Nifti1Image(voxels, image.affine, image.header), path)


def test_a_copy_elsewhere_and_of_another_time_has_the_same_keys(tmp_path):
    there, copy = dataset(tmp_path / "there"), tmp_path / "copy"
    shutil.copytree(there, copy)
    for path in copy.rglob("*"):
        os.utime(path, (1, 1))
    assert images_of(there) == images_of(copy) and keys_of(there) == keys_of(copy)


@pytest.mark.parametrize("side", ["T1", "T2"])
def test_one_other_voxel_of_either_image_gives_other_keys(side, tmp_path):
    folder = dataset(tmp_path)
    before = keys_of(folder)
    change_one_voxel(next(folder.rglob(f"*{side}*.nii.gz")))
    assert before.isdisjoint(keys_of(folder))


def test_a_study_means_the_same_images_to_its_end(tmp_path):
    study = study_of(datasets={"ixi": {"dataset_dir": str(dataset(tmp_path))}})
    before = study.runs()
    change_one_voxel(next(tmp_path.rglob("*T2*.nii.gz")))
    assert study.runs() == before


def test_a_list_whose_images_are_gone_or_that_is_none_is_told_later_and_has_keys_of_its_own(tmp_path):
    folder = dataset(tmp_path)
    whole = images_of(folder)
    next(folder.rglob("*T2*.nii.gz")).unlink()
    gone = images_of(folder)
    (folder / "datalist.json").write_text("no list")
    assert len({whole, gone, images_of(folder), images_of(None)}) == 4


def test_raw_files_count_where_there_is_no_list_and_nothing_is_read_of_what_is_not_there(tmp_path):
    assert images_of(None) == images_of(tmp_path / "nowhere") == images_of(tmp_path)
    (tmp_path / "train").mkdir()
    (tmp_path / "train" / "file1.h5").write_bytes(bytes(range(256)) * 4096)
    before = images_of(tmp_path)
    (tmp_path / "notes.txt").write_text("beside them")
    assert before == images_of(tmp_path) != images_of(None)
    (tmp_path / "train" / "file1.h5").write_bytes(bytes(range(256)) * 4095 + bytes(256))
    assert images_of(tmp_path) != before


def test_the_files_of_a_dicom_series_count(tmp_path):
    for name in ("t1", "t2"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "1.dcm").write_bytes(b"one")
    items = [{"subject": "a", "t1": str(tmp_path / "t1"), "t2": str(tmp_path / "t2")}]
    write_datalist({"test": items}, tmp_path / "datalist.json")
    before = images_of(tmp_path)
    (tmp_path / "t2" / "2.dcm").write_bytes(b"two")
    assert images_of(tmp_path) != before
