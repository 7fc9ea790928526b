"""ISMRMRD's slices are a stack or are refused; where they lie is taken of every slice, or told to be unknown."""

from __future__ import annotations

import numpy as np
import pytest

from bundle.errors import BundleError
from bundle.kspace import read_kspace
from tests.kspace.raw_files import write_ismrmrd

AXES = {"read_dir": (0, 0.8, 0.6), "phase_dir": (1, 0, 0), "slice_dir": (0, -0.6, 0.8)}


def placed(along=lambda number: 6 * number, **directions):
    """Slices at these distances (mm) along the normal."""

    def change(one) -> None:
        one.position = (10.0, 20 - 0.6 * along(one.idx.slice), 30 + 0.8 * along(one.idx.slice))
        for name, value in directions.items():
            setattr(one, name, value)

    return change


def localizer(one) -> None:
    for shift, name in enumerate(AXES):
        setattr(one, name, tuple(np.roll(np.eye(3)[shift], one.idx.slice)))


def beside(one) -> None:
    one.position = (10.0 * one.idx.slice, 0, 0)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (localizer, "The slices of .* are not parallel, as of a localizer; write each to a file of its own"),
        (placed(lambda number: 6 * number + 60 * (number == 2)), "do not lie one behind the other at equal distances"),
        (placed(lambda number: 6 * (number == 2)), "do not lie one behind the other at equal distances"),
        (beside, "do not lie one behind the other at equal distances"),
    ],
)
def test_slices_that_are_no_stack_are_one_sentence(tmp_path, coil_kspace, change, said):
    with pytest.raises(BundleError, match=said):
        read_kspace(write_ismrmrd(tmp_path / "x.h5", coil_kspace, np.arange(36), change))


@pytest.mark.parametrize(
    "change",
    [
        placed(lambda number: 0),
        placed(lambda number: np.nan if number == 1 else 6 * number),
        placed(read_dir=(np.nan, 0, 0)),
        placed(read_dir=(0, 0, 0)),
        placed(read_dir=AXES["phase_dir"]),
    ],
)
def test_a_place_that_is_not_told_is_unknown(tmp_path, coil_kspace, change):
    scan = read_kspace(write_ismrmrd(tmp_path / "x.h5", coil_kspace, np.arange(36), change, noise=False))
    np.testing.assert_allclose(scan.kspace.numpy(), coil_kspace, atol=1e-5)
    assert scan.spacing == (1, 1, 4.5) and scan.remarks[0].startswith("position and orientation are unknown")


@pytest.mark.parametrize("step", [(0.03, -1.98, 2.64), (0.2, -3.6, 4.8)])
def test_positions_rounded_to_a_tenth_and_a_shear_are_a_stack(tmp_path, coil_kspace, step):
    def change(one) -> None:
        placed()(one)
        one.position = tuple(np.round(np.array(step) * one.idx.slice, 1))

    scan = read_kspace(write_ismrmrd(tmp_path / "x.h5", coil_kspace, np.arange(36), change, noise=False))
    between = scan.affine[:3, 2] * (-1, -1, 1)
    np.testing.assert_allclose(between, step, atol=0.06)


def test_directions_of_any_length_are_directions(tmp_path, coil_kspace):
    long = {name: tuple(2.0 * np.array(value)) for name, value in AXES.items()}
    paths = [tmp_path / "unit.h5", tmp_path / "long.h5"]
    unit, other = (
        read_kspace(write_ismrmrd(path, coil_kspace, np.arange(36), change, noise=False))
        for path, change in zip(paths, (placed(), placed(**long)))
    )
    np.testing.assert_allclose(other.affine, unit.affine, atol=1e-4)
    assert unit.remarks == other.remarks == ()
