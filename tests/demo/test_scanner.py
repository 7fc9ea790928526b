"""A scan measures the mean over a slice's thickness where the person stands, with Rician noise."""

from __future__ import annotations

import nibabel as nib
import numpy as np
import pytest

from bundle.demo.scanner import CENTRE, Grid, axial_grid, draw_movement, measure, sagittal_grid
from bundle.demo.tissues import AFFINE

RAMP = np.ascontiguousarray(np.broadcast_to(np.arange(40, dtype=np.float32), (4, 4, 40)))  # along z, 1 a voxel


def without_noise(grid: Grid, movement: np.ndarray) -> np.ndarray:
    return measure(RAMP, grid, movement, 0.0, np.random.default_rng(0))


def test_a_movement_is_rigid_and_within_its_limits():
    for seed in range(20):
        moved = draw_movement(np.random.default_rng(seed))
        rotation = moved[:3, :3]
        np.testing.assert_allclose(rotation @ rotation.T, np.eye(3), atol=1e-12)
        assert np.linalg.det(rotation) == pytest.approx(1)
        shift = np.abs(nib.affines.apply_affine(moved, CENTRE) - CENTRE)
        assert (shift >= 2).all() and (shift <= 7).all()


@pytest.mark.parametrize("grid", [axial_grid(96, 4), axial_grid(192, -3), sagittal_grid()])
def test_the_middle_voxel_of_each_scan_lies_in_the_heads_centre(grid):
    np.testing.assert_allclose(nib.affines.apply_affine(grid.affine, np.array(grid.shape) // 2), CENTRE)


def test_a_slice_is_the_mean_over_its_thickness_about_its_middle():
    affine = AFFINE @ np.diag([1, 1, 5, 1]) @ nib.affines.from_matvec(np.eye(3), [0, 0, 1])
    np.testing.assert_allclose(without_noise(Grid((2, 2, 3), affine, 5), np.eye(4))[0, 0], [5, 10, 15], atol=1e-4)


def test_tissue_is_found_where_the_movement_took_it():
    upwards = nib.affines.from_matvec(np.eye(3), [0, 0, 3])
    still, moved = (without_noise(Grid((2, 2, 9), AFFINE), pose)[0, 0] for pose in (np.eye(4), upwards))
    np.testing.assert_allclose(moved[3:], still[:-3], atol=1e-4)


def test_noise_is_rayleigh_where_there_is_no_signal():
    air = measure(0 * RAMP, Grid((60, 60, 20), AFFINE), np.eye(4), 2.0, np.random.default_rng(0))
    assert air.mean() == pytest.approx(1.2533 * 2, rel=0.01) and air.std() == pytest.approx(0.6551 * 2, rel=0.02)
