"""Mutual information of two images: the measure, independent of ITK, by which a registration is taken or refused."""

from __future__ import annotations

import numpy as np
from monai.data import MetaTensor
from scipy.ndimage import map_coordinates
from scipy.stats import entropy

from ..errors import BundleError
from .reading import file_of

__all__ = ["information_at", "mutual_information"]

_POINTS = 400_000


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
        nats.

    Raises:
        BundleError: no point lies in both images.
    """
    shape, moving_shape = np.array(fixed.shape[1:]), np.array(moving.shape[1:])
    points = np.random.default_rng(0).random((_POINTS, 3)) * (shape - 1)
    fixed_affine, moving_affine = (np.asarray(volume.affine, dtype=np.float64) for volume in (fixed, moving))
    voxel_map = np.linalg.inv(moving_affine) @ transform @ fixed_affine
    moved = points @ voxel_map[:3, :3].T + voxel_map[:3, 3]
    if not ((moved > -0.5) & (moved < moving_shape - 0.5)).all(axis=1).any():
        raise BundleError(
            f"{file_of(moving)} and {file_of(fixed)} do not overlap in space; "
            "expected images of one session and headers."
        )
    pair = (map_coordinates(volume.numpy()[0], at.T, order=1) for volume, at in ((fixed, points), (moving, moved)))
    return mutual_information(*(np.clip(values, *np.percentile(values, (0.1, 99.9))) for values in pair))
