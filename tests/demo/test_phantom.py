"""The demo data look like MRI, move as truth.json says, can be had again, and never overwrite anything."""

from __future__ import annotations

import json
from functools import partial
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest
from nibabel.processing import resample_from_to

from bundle.data.datalist import read_datalist
from bundle.demo import phantom
from bundle.demo.phantom import make_demo_dataset
from bundle.errors import BundleError
from tests.demo.people import SMALL, people


@pytest.fixture
def demo() -> Path:
    return people() / "demo"


def test_a_folder_that_holds_something_else_is_refused(tmp_path):
    (tmp_path / "precious.txt").touch()
    with pytest.raises(BundleError, match="something other than the demo data"):
        make_demo_dataset(tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["precious.txt"]


def test_a_place_that_cannot_be_written_is_refused(tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(BundleError, match="cannot be written"):
        make_demo_dataset(tmp_path / "file" / "demo")


def test_an_interrupted_run_leaves_nothing_behind(tmp_path, monkeypatch):
    def interrupt() -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(phantom, "template_head", interrupt)
    with pytest.raises(KeyboardInterrupt):
        make_demo_dataset(tmp_path / "demo")
    assert not list(tmp_path.iterdir())


@pytest.mark.slow
@pytest.mark.needs(people)
def test_a_lesion_is_brighter_than_white_matter_in_t2_where_truth_says(demo):
    person = json.loads((demo / "truth.json").read_text())["subjects"]["IXI902"]
    image = nib.load(demo / person["t2"])
    voxels = np.rint(nib.affines.apply_affine(np.linalg.inv(image.affine), person["lesions"])).astype(int)
    values, t2 = [image.get_fdata()[tuple(voxel)] for voxel in voxels], image.get_fdata()
    head_median = np.median(t2[t2 > 0.15 * t2.max()])
    assert len(values) >= 3 and np.median(values) > 1.2 * head_median


@pytest.mark.slow
@pytest.mark.needs(people)
def test_the_demo_data_are_a_dataset_in_the_ixi_layout(demo):
    lists = read_datalist(demo)
    assert [len(lists[split]) for split in ("training", "validation", "test")] == [1, 1, 0]
    item = lists["training"][0]
    assert Path(item["t1"]).match("IXI-T1/IXI90?-Demo-000?-T1.nii.gz")
    assert Path(item["t2"]).match("IXI-T2/IXI90?-Demo-000?-T2.nii.gz")


@pytest.mark.slow
@pytest.mark.needs(people)
def test_t1_is_sagittal_and_t2_axial_on_another_grid(demo):
    item = read_datalist(demo)["training"][0]
    t1, t2 = nib.load(item["t1"]), nib.load(item["t2"])
    assert nib.aff2axcodes(t1.affine) == ("P", "I", "R") and nib.aff2axcodes(t2.affine) == ("L", "P", "S")
    assert t1.shape != t2.shape and t2.header.get_zooms()[2] == pytest.approx(5)
    assert t1.get_data_dtype() == np.int16


def mutual_information(one: np.ndarray, other: np.ndarray) -> float:
    joint = np.histogram2d(one.ravel(), other.ravel(), bins=48)[0]
    joint /= joint.sum()
    independent = joint.sum(1, keepdims=True) * joint.sum(0, keepdims=True)
    present = joint > 0
    return float((joint[present] * np.log(joint[present] / independent[present])).sum())


def information_at(t1: nib.Nifti1Image, t2: nib.Nifti1Image, t2_to_t1: np.ndarray) -> float:
    """Mutual information with T1 put where the T2 scan has the same tissue, that is by the inverse of T2 -> T1."""
    moved = nib.Nifti1Image(t1.get_fdata(), np.linalg.inv(t2_to_t1) @ t1.affine)
    resampled = resample_from_to(moved, (t2.shape, t2.affine), order=1)
    return mutual_information(resampled.get_fdata(), t2.get_fdata())


@pytest.mark.slow
@pytest.mark.needs(people)
def test_truth_aligns_what_the_headers_do_not(demo):
    for person in json.loads((demo / "truth.json").read_text())["subjects"].values():
        t1, t2, truth = nib.load(demo / person["t1"]), nib.load(demo / person["t2"]), np.array(person["t2_to_t1"])

        information = partial(information_at, t1, t2)
        aligned = information(truth)
        assert aligned > 1.3 * information(np.eye(4))
        assert aligned > 1.3 * information(np.linalg.inv(truth))
        nudge = nib.affines.from_matvec(np.eye(3), [1.5, 0, 0])
        assert aligned > max(information(nudge @ truth), information(np.linalg.inv(nudge) @ truth))


@pytest.mark.slow
@pytest.mark.needs(people)
def test_the_same_seed_gives_the_same_voxels_and_another_seed_others():
    folders = [people() / name for name in ("demo", "again", "other")]
    for contrast in ("T1", "T2"):
        name = f"IXI-{contrast}/IXI901-Demo-0001-{contrast}.nii.gz"
        first, same, different = (np.asarray(nib.load(folder / name).dataobj) for folder in folders)
        np.testing.assert_array_equal(first, same)
        assert (first != different).mean() > 0.3


@pytest.mark.slow
@pytest.mark.needs(people)
def test_complete_data_are_left_as_they_are_and_other_settings_are_refused(demo, monkeypatch):
    monkeypatch.setattr(phantom, "template_head", None)
    assert make_demo_dataset(demo, **SMALL) == str(demo)
    with pytest.raises(BundleError, match="something other"):
        make_demo_dataset(demo, **SMALL, seed=1)
