"""A prepared pair lies where its files lay, T1 where T2 is; what is there and whole is not prepared again."""

from __future__ import annotations

import os
import shutil
from pathlib import Path
from types import SimpleNamespace

import nibabel as nib
import numpy as np
import pytest

from bundle.ixi import prepare_subject, subject

from .small_ixi import DEPTH, OFFSET, image_bytes

NAME = "IXI002-Guys-0828"
SETTINGS = {"image_size": 32, "slices": 4}


def write_pair(folder, name=NAME, persons=(0, 0)):
    for contrast, person in zip(("T1", "T2"), persons):
        (folder / f"{name}-{contrast}.nii.gz").write_bytes(image_bytes(contrast, person))
    return ["IXI002", *(str(folder / f"{name}-{contrast}.nii.gz") for contrast in ("T1", "T2"))]


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """A prepared subject: what it is called with, what is told of it, and both images."""
    folder = tmp_path_factory.mktemp("ixi")
    call = [*write_pair(folder), str(folder / "out")]
    row = prepare_subject(*call, **SETTINGS)
    return call, row, [nib.load(folder / f"out/{NAME}/{NAME}-{contrast}.nii.gz") for contrast in ("T1", "T2")]


def test_t1_is_moved_onto_t2_and_the_row_tells_by_how_much(made):
    _, row, _ = made
    assert (row["subject"], row["hospital"], row["state"], row["slices"]) == ("IXI002", "Guys", "prepared", 4)
    assert row["registered"] and row["shift_mm"] == pytest.approx(np.linalg.norm(OFFSET), abs=1.0)
    assert row["mutual_information_after"] > row["mutual_information_before"]
    assert row["likeness"] > 1.25 and row["reason"] == ""


def test_the_middle_slices_are_kept_at_their_place_with_their_codes(made):
    call, _, (t1, t2) = made
    source = nib.load(call[2])
    assert t1.shape == t2.shape == (32, 32, 4)
    for image in (t1, t2):
        assert int(image.header["qform_code"]) == int(image.header["sform_code"]) == 1
        np.testing.assert_allclose(image.get_qform(), image.get_sform(), atol=1e-4)
    spacing = np.linalg.norm(t2.affine[:3, :3], axis=0)
    np.testing.assert_allclose(spacing, [4, 5, 8], atol=1e-5)  # 40 columns became 32 of the same field of view
    first = (DEPTH - 4) // 2

    def centre(image, voxels):
        index = np.argwhere(np.ones(voxels.shape)) @ image.affine[:3, :3].T + image.affine[:3, 3]
        return voxels.ravel() @ index / voxels.sum()

    before = np.zeros(source.shape)
    before[..., first : first + 4] = np.asarray(source.dataobj)[..., first : first + 4]
    np.testing.assert_allclose(centre(t2, t2.get_fdata()), centre(source, before), atol=0.3)


def test_t1_keeps_its_intensities_in_steps_of_its_maximum(made):
    call, _, (t1, _) = made
    voxels, source = t1.get_fdata(), nib.load(call[1]).get_fdata()
    assert t1.dataobj.slope == pytest.approx(voxels.max() / 32767) and t1.dataobj.inter == 0
    assert voxels.max() == pytest.approx(source.max(), rel=0.1)
    assert np.median(voxels[voxels > 50]) == pytest.approx(np.median(source[source > 50]), rel=0.05)


def test_whole_numbers_on_the_wanted_matrix_stay_what_they_were(tmp_path):
    call = write_pair(tmp_path)
    for path in call[1:]:
        image = nib.load(path)
        nib.save(image.slicer[:32, 4:36] if path == call[2] else image, path)
    source = np.asarray(nib.load(call[2]).dataobj)
    row = prepare_subject(*call, str(tmp_path / "out"), image_size=32, slices=100)
    written = nib.load(tmp_path / f"out/{NAME}/{NAME}-T2.nii.gz")
    np.testing.assert_array_equal(np.asarray(written.dataobj), source)
    np.testing.assert_array_equal(written.affine, nib.load(call[2]).affine)
    assert row["reason"] == f"has {DEPTH} slices, fewer than 100"


def test_a_subject_that_is_there_is_not_prepared_again(made, monkeypatch):
    call, row, _ = made
    monkeypatch.setattr(subject, "align_pair", None)
    assert prepare_subject(*call, **SETTINGS) == row
    assert "TypeError" in prepare_subject(*call, image_size=32, slices=5)["reason"]  # other settings: it is


def test_what_is_half_or_made_of_another_file_does_not_count(made, tmp_path):
    call, row, _ = made
    output, known = call[3], lambda t1: subject.known_row(t1, call[2], output, 32, 4)
    assert known(call[1]) == row
    assert known(write_pair(tmp_path, persons=(5, 0))[1]) is None
    assert known(write_pair(tmp_path)[1]) == row  # a copy of the same file
    file = Path(f"{output}/{NAME}/{NAME}-T1.nii.gz")
    whole = file.read_bytes()
    try:
        os.truncate(file, 100)
        assert known(call[1]) is None
    finally:
        file.write_bytes(whole)


def test_a_subject_that_cannot_be_prepared_tells_why_and_leaves_nothing(tmp_path):
    output = tmp_path / "out"
    call = [*write_pair(tmp_path), str(output)]
    content = bytearray((tmp_path / f"{NAME}-T1.nii.gz").read_bytes())
    content[600] ^= 0xFF
    (tmp_path / f"{NAME}-T1.nii.gz").write_bytes(content)
    row = prepare_subject(*call, **SETTINGS)
    assert row["state"] == "failed" and "its voxels are cut short or damaged" in row["reason"]
    (tmp_path / f"{NAME}-T1.nii.gz").unlink()
    assert prepare_subject(*call, **SETTINGS)["state"] == "failed"
    assert not output.exists()


def test_a_full_disk_is_told_before_anything_is_computed(tmp_path, monkeypatch):
    monkeypatch.setattr(shutil, "disk_usage", lambda folder: SimpleNamespace(free=1000))
    monkeypatch.setattr(subject, "align_pair", None)
    row = prepare_subject(*write_pair(tmp_path), str(tmp_path / "out"), **SETTINGS)
    assert row["state"] == "failed" and row["reason"].startswith("A subject may take 0.0 MB in")


def test_a_t1_of_another_head_is_refused_with_its_numbers(tmp_path):
    call = write_pair(tmp_path)
    rng = np.random.default_rng(0)
    image = nib.load(call[1])
    nib.save(nib.Nifti1Image(rng.integers(0, 300, image.shape).astype(np.int16), image.affine), call[1])
    row = prepare_subject(*call, str(tmp_path / "out"), **SETTINGS)
    assert row["state"] == "failed" and "do not seem to show one anatomy" in row["reason"]
    assert "shift_mm" in row and not (tmp_path / "out").exists()


def test_a_matrix_that_would_make_voxels_longer_than_the_slices_are_apart_is_refused(tmp_path):
    call = write_pair(tmp_path)
    row = prepare_subject(*call, str(tmp_path / "out"), image_size=16, slices=4)  # 40 columns of 4 mm, 8 mm apart
    assert row["state"] == "failed" and not (tmp_path / "out").exists()
    assert row["reason"].startswith("--image-size 16 would make voxels of 10 mm, and the slices are 8 mm apart: ")
