"""The simulated scanner: where the T1 and the T2 scan of a person lie, and what each measures of the head.

Both are centred on :data:`CENTRE`. Affines and movements are 4x4 in RAS, mm. Between the scans the person moves, and no
header knows of it.
"""

from __future__ import annotations

from typing import NamedTuple

import nibabel as nib
import numpy as np
from numpy.typing import NDArray
from scipy import ndimage
from scipy.spatial.transform import Rotation

from .random_fields import Volume
from .tissues import AFFINE

__all__ = ["CENTRE", "Grid", "axial_grid", "draw_movement", "measure", "sagittal_grid"]

CENTRE = np.array([0.0, -18.0, 12.0])  # of both scans and of the movement, mm
_THICKNESS = 5  # mm, and sub-slices averaged into one T2 slice
Matrix = NDArray[np.float64]


class Grid(NamedTuple):
    """Where a scan's voxels lie.

    Attributes:
        shape: number of voxels along each axis, slices last.
        affine: voxel to mm, 4x4.
        sub_slices: over how many positions through its thickness a slice is averaged.
    """

    shape: tuple[int, int, int]
    affine: Matrix
    sub_slices: int = 1


def axial_grid(matrix: int, tilt: float) -> Grid:
    """T2's: 24 slices of 5 mm, turned by ``tilt`` degrees; rows run to the left, columns to the back."""
    shape = (matrix, matrix, 24)
    turned = Rotation.from_euler("x", tilt, degrees=True).as_matrix()
    steps = turned @ np.diag([-230 / matrix, -230 / matrix, _THICKNESS])
    return Grid(shape, _centred(steps, shape), _THICKNESS)


def sagittal_grid() -> Grid:
    """T1's: 124 slices of 1.5 mm; axes run to the back, to the feet and to the right."""
    shape = (184, 160, 124)
    return Grid(shape, _centred(np.array([[0, 0, 1.5], [-1.2, 0, 0], [0, -1.2, 0]]), shape))


def draw_movement(rng: np.random.Generator) -> Matrix:
    """A rigid movement about :data:`CENTRE`: 2 to 5 degrees about and 2 to 7 mm along each axis."""
    angles, shift = (rng.choice((-1, 1), 3) * rng.uniform(*limits, 3) for limits in ((2, 5), (2, 7)))
    rotation = Rotation.from_euler("xyz", angles, degrees=True).as_matrix()
    return nib.affines.from_matvec(rotation, CENTRE + shift - rotation @ CENTRE)


def measure(volume: Volume, grid: Grid, movement: Matrix, noise: float, rng: np.random.Generator) -> Volume:
    """The magnitude image of a moved head, with complex Gaussian noise.

    Args:
        volume: the head's signal on the grid of :data:`~bundle.demo.tissues.AFFINE`.
        grid: where it is scanned.
        movement: where the head's tissue stands during this scan.
        noise: standard deviation of real and imaginary part.
    """
    signal = _sample(volume, grid._replace(affine=np.linalg.inv(movement) @ grid.affine))
    real, imaginary = noise * rng.standard_normal((2, *grid.shape), dtype=np.float32)
    return np.hypot(signal + real, imaginary)


def _sample(volume: Volume, grid: Grid) -> Volume:
    """The head's signal on a grid; a slice is the mean over its thickness."""
    count = grid.sub_slices
    finer = grid.affine @ np.diag([1, 1, 1 / count, 1])
    finer[:3, 3] = grid.affine[:3, 3] - grid.affine[:3, 2] * (count - 1) / (2 * count)
    voxel = np.linalg.inv(AFFINE) @ finer
    shape = (*grid.shape[:2], grid.shape[2] * count)
    fine = ndimage.affine_transform(volume, voxel[:3, :3], voxel[:3, 3], shape, order=1)
    return fine.reshape(*grid.shape, count).mean(-1)


def _centred(steps: Matrix, shape: tuple[int, int, int]) -> Matrix:
    """The affine whose voxel steps are the columns of ``steps`` and whose middle voxel lies in :data:`CENTRE`."""
    return nib.affines.from_matvec(steps, CENTRE - steps @ (np.array(shape) // 2))
