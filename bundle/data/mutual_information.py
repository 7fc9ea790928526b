"""Mutual information of two images: the measure, independent of ITK, by which a registration is taken or refused.

How much T1 tells of T2 at all depends on contrasts and noise, so no value of it says whether both show one anatomy.
What does is how much of it is lost when T1 is displaced by less than a fold of the cortex: :func:`likeness_at`.
"""

from __future__ import annotations

from decimal import ROUND_FLOOR, Decimal

import numpy as np
from monai.data import MetaTensor
from scipy.ndimage import map_coordinates
from scipy.stats import entropy

__all__ = ["information_at", "inside_information", "likeness_at", "mutual_information", "rounded_down"]

_POINTS, _LIKENESS_POINTS = 400_000, 100_000
_DISPLACEMENT = 4.0  # mm


def mutual_information(first: np.ndarray, second: np.ndarray, bins: int = 64) -> float:
    """Mutual information, in nats, of two images' intensities from their joint histogram; arrays of one shape."""
    joint, _, _ = np.histogram2d(np.ravel(first), np.ravel(second), bins=bins)
    return float(entropy(joint.sum(axis=1)) + entropy(joint.sum(axis=0)) - entropy(joint, axis=None))


def information_at(fixed: MetaTensor, moving: MetaTensor, transform: np.ndarray) -> float:
    """Mutual information of T2 and transformed T1 at random points of T2's field of view; T1 is 0 outside its own.

    The points lie off both grids, so that interpolation smooths both images alike, moved or not.

    Args:
        fixed, moving: ``(1, x, y, z)``.
        transform: ``(4, 4)`` RAS mm, fixed to moving.

    Returns:
        nats; 0 where the two do not overlap.
    """
    points, values = _points(fixed, _POINTS)
    return _information(values, _values(fixed, moving, transform, points))


def likeness_at(fixed: MetaTensor, moving: MetaTensor, transform: np.ndarray) -> float:
    """How many times as much transformed T1 tells of T2 as when it is displaced by 4 mm: whether both show one anatomy.

    Mutual information at the points of T2 brighter than its mean, so that the outline of the head does not count, over
    its mean at the six displacements along x, y and z. About 1 where nothing but the rough shape is shared.

    Args:
        fixed, moving: ``(1, x, y, z)``.
        transform: ``(4, 4)`` RAS mm, fixed to moving.

    Returns:
        without unit; 0 where the two do not overlap.
    """
    points, values = _points_inside(fixed)
    transforms = [np.array(transform, dtype=np.float64) for _ in range(7)]
    for index in range(6):  # the last one stays
        transforms[index][:3, 3] += transforms[index][:3, index // 2] * _DISPLACEMENT * (-1) ** index
    *displaced, here = (_information(values, _values(fixed, moving, transform, points)) for transform in transforms)
    return here / max(float(np.mean(displaced)), 1e-6)


def inside_information(fixed: MetaTensor, moving: MetaTensor, transform: np.ndarray) -> float:
    """Mutual information of T2 and transformed T1 where T2 is brighter than its mean: its outline does not count.

    Args:
        fixed, moving: ``(1, x, y, z)``.
        transform: ``(4, 4)`` RAS mm, fixed to moving.

    Returns:
        nats.
    """
    points, values = _points_inside(fixed)
    return _information(values, _values(fixed, moving, transform, points))


def rounded_down(likeness: float) -> str:
    """A likeness in two decimals for messages, so that one below a limit does not read as the limit itself."""
    return f"{Decimal(str(float(likeness))).quantize(Decimal('0.01'), ROUND_FLOOR)}"


def _points(fixed: MetaTensor, count: int) -> tuple[np.ndarray, np.ndarray]:
    """Random points between an image's voxels, in voxels ``(count, 3)``, and the image there ``(count,)``."""
    points = np.random.default_rng(0).random((count, 3)) * (np.array(fixed.shape[1:]) - 1)
    return points, map_coordinates(fixed.numpy()[0], points.T, order=1)


def _points_inside(fixed: MetaTensor) -> tuple[np.ndarray, np.ndarray]:
    """Those of :func:`_points` where the image is brighter than its mean there."""
    points, values = _points(fixed, _LIKENESS_POINTS)
    bright = values > values.mean()
    return points[bright], values[bright]


def _values(fixed: MetaTensor, moving: MetaTensor, transform: np.ndarray, points: np.ndarray) -> np.ndarray:
    """The moving image at points of the fixed one, which are in voxels."""
    fixed_affine, moving_affine = (np.asarray(volume.affine, dtype=np.float64) for volume in (fixed, moving))
    voxel_map = np.linalg.inv(moving_affine) @ transform @ fixed_affine
    moved = points @ voxel_map[:3, :3].T + voxel_map[:3, 3]
    return map_coordinates(moving.numpy()[0], moved.T, order=1)


def _information(first: np.ndarray, second: np.ndarray) -> float:
    """Of the middle 99.8 % of both images' intensities."""
    return mutual_information(*(np.clip(one, *np.percentile(one, (0.1, 99.9))) for one in (first, second)))
