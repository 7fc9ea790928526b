"""Slices that were sampled differently are refused: one mask, one centre and one acceleration are told of all."""

from __future__ import annotations

import h5py
import numpy as np
import pytest

from bundle.errors import BundleError
from bundle.kspace import read_kspace
from tests.kspace.raw_files import write_array, write_fastmri, write_m4raw

COLUMN, ROW = np.arange(36), np.arange(64)[:, None]


@pytest.mark.parametrize(
    "mask",
    [
        lambda number: (COLUMN % 2 == number % 2) | (abs(COLUMN - 18) < 4),  # together they have every line
        lambda number: (COLUMN % 4 == 2) | (COLUMN == number),
        lambda number: (COLUMN + ROW) % 3 == number,  # points, which leave out no line
    ],
)
def test_slices_that_acquired_different_lines_or_points_are_one_sentence(tmp_path, coil_kspace, mask):
    kspace = np.stack([slices * mask(number) for number, slices in enumerate(coil_kspace)])
    with pytest.raises(BundleError, match=r"The slices of .*x.npy acquired different lines: .* to a file of their own"):
        read_kspace(write_array(tmp_path / "x.npy", kspace))


def test_a_slice_of_zeros_and_zeros_by_chance_are_no_other_sampling(tmp_path, coil_kspace):
    kspace = coil_kspace * (COLUMN % 2 == 0)
    kspace[0] = 0
    kspace[1, :, 3:9, :] *= COLUMN % 4 != 0  # as where numbers were rounded
    assert read_kspace(write_array(tmp_path / "x.npy", kspace)).sampling.effective == pytest.approx(2, abs=0.1)


def test_averages_and_repetitions_share_lines_out_but_alike_in_each_slice(tmp_path, coil_kspace):
    even, odd = coil_kspace * (COLUMN % 2 == 0), coil_kspace * (COLUMN % 2 == 1)
    for number, part in enumerate((even, odd), start=1):
        write_m4raw(tmp_path / f"s_T1{number:02d}.h5", part)
    np.testing.assert_allclose(read_kspace(tmp_path / "s_T1.h5").kspace.numpy(), coil_kspace, atol=1e-4)
    path = write_fastmri(tmp_path / "p.h5", coil_kspace, 32)
    mixed = np.stack([np.stack([even[0], odd[1], even[2]]), np.stack([odd[0], even[1], odd[2]])])
    with h5py.File(path, "a") as file:
        del file["kspace"]
        file["kspace"] = mixed
    with pytest.raises(BundleError, match="acquired different lines"):
        read_kspace(path)
