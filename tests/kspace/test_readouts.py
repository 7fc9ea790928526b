"""Readouts of ISMRMRD that are of the image are told from those that are not, and one image from several."""

from __future__ import annotations

import h5py
import numpy as np
import pytest

from bundle.errors import BundleError
from bundle.kspace import read_kspace
from tests.kspace.raw_files import write_ismrmrd

LINES = np.unique(np.r_[0:36:3, 12:24])
LATTICE = LINES % 3 == 0


def flagged(*columns: int, both: bool = False, more=None):
    """Marks columns as calibration; with ``both`` those of the lattice among them as image, too."""

    def change(one) -> None:
        if (column := one.idx.kspace_encode_step_1) in columns:
            one.setFlag(20)
            if both and column % 3 == 0:
                one.setFlag(21)
            if more is not None:
                more(one)

    return change


def acquired(path) -> np.ndarray:
    return np.flatnonzero(read_kspace(path).sampling.acquired.any(axis=0))


def test_calibration_that_is_image_too_and_lines_between_are_of_the_image(tmp_path, coil_kspace):
    path = write_ismrmrd(tmp_path / "x.h5", coil_kspace, LINES, flagged(*range(12, 24), both=True), noise=False)
    scan = read_kspace(path)
    np.testing.assert_allclose(scan.kspace.numpy(), coil_kspace * np.isin(np.arange(36), LINES), atol=1e-5)
    assert scan.remarks == ("24 readouts of calibration lie between the image's lines and are taken into it",)


@pytest.mark.parametrize(
    "more",
    [
        lambda one: setattr(one.idx, "contrast", 1),
        lambda one: setattr(one, "encoding_space_ref", 1),
        lambda one: setattr(one.idx, "kspace_encode_step_1", one.idx.kspace_encode_step_1 // 3 * 3),  # on a line
    ],
)
def test_a_calibration_of_its_own_is_left_out_and_told(tmp_path, coil_kspace, more):
    between = LINES[~LATTICE]
    path = write_ismrmrd(tmp_path / "x.h5", coil_kspace, LINES, flagged(*between, more=more), noise=False)
    assert acquired(path).tolist() == LINES[LATTICE].tolist()
    assert read_kspace(path).remarks == ("24 readouts of calibration are left out",)


def test_the_headers_word_on_calibration_is_kept(tmp_path, coil_kspace):
    path = write_ismrmrd(tmp_path / "x.h5", coil_kspace, LINES, flagged(*LINES[~LATTICE]), noise=False)
    assert acquired(path).tolist() == LINES.tolist()
    with h5py.File(path, "a") as file:
        text = file["dataset/xml"][0].decode()
        mode = "<parallelImaging><calibrationMode>separate</calibrationMode></parallelImaging>"
        file["dataset/xml"][0] = text.replace("<trajectory>", f"{mode}<trajectory>")
    assert acquired(path).tolist() == LINES[LATTICE].tolist()


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda one: setattr(one.idx, "repetition", one.idx.slice), "holds 3 repetitions; write each to a file of its"),
        (lambda one: setattr(one, "encoding_space_ref", one.idx.slice), "holds readouts of encoding space 2, and only"),
    ],
)
def test_several_images_of_a_slice_are_not_averaged(tmp_path, coil_kspace, change, said):
    with pytest.raises(BundleError, match=said):
        read_kspace(write_ismrmrd(tmp_path / "x.h5", coil_kspace, np.arange(36), change))


def test_segments_are_put_together(tmp_path, coil_kspace):
    def change(one) -> None:
        one.idx.segment = one.idx.kspace_encode_step_1 % 2

    scan = read_kspace(write_ismrmrd(tmp_path / "x.h5", coil_kspace, np.arange(36), change))
    np.testing.assert_allclose(scan.kspace.numpy(), coil_kspace, atol=1e-5)


def test_averages_of_different_extent_are_averaged_point_by_point(tmp_path, coil_kspace):
    def change(one) -> None:
        one.discard_pre = 20 * (one.idx.average)

    def second(one) -> None:
        one.idx.average = 1
        change(one)

    path = write_ismrmrd(tmp_path / "x.h5", coil_kspace[:1], np.arange(36), change, noise=False)
    write_ismrmrd(path, coil_kspace[:1], np.arange(36), second, noise=False)
    np.testing.assert_allclose(read_kspace(path).kspace.numpy(), coil_kspace[:1], atol=1e-5)
