"""A head by formula, sampled on any grid and displaced by any rigid transform: the truth for the registration."""

from __future__ import annotations

import numpy as np
import torch
from monai.data import MetaTensor
from scipy.spatial.transform import Rotation


def _blobs(person: int) -> list[tuple[np.ndarray, float, float]]:
    """Centre, width and height of what is in a person's head."""
    rng = np.random.default_rng(5 + person)
    return list(zip(rng.uniform(-45, 45, (60, 3)), rng.uniform(7, 16, 60), rng.uniform(-1, 1, 60), strict=True))


def moved(degrees: tuple[float, float, float] = (0, 0, 0), shift: tuple[float, float, float] = (0, 0, 0)) -> np.ndarray:
    """A rigid transform ``(4, 4)``."""
    transform = np.eye(4)
    transform[:3, :3] = Rotation.from_euler("xyz", degrees, degrees=True).as_matrix()
    transform[:3, 3] = shift
    return transform


def grid(size: tuple[float, float, float], shape: tuple[int, int, int], axes: np.ndarray | None = None) -> np.ndarray:
    """Affine of a grid centred in the head, its voxel axes along the columns of ``axes``."""
    affine = np.eye(4)
    affine[:3, :3] = (np.eye(3) if axes is None else axes) * np.array(size)
    affine[:3, 3] = -affine[:3, :3] @ (np.array(shape) - 1) / 2
    return affine


def head(
    contrast: str,
    affine: np.ndarray,
    shape: tuple[int, int, int],
    t2_to_t1: np.ndarray | None = None,
    person: int = 0,
) -> MetaTensor:
    """An analytic head at a grid's points, so that no interpolation stands between it and the truth.

    ``t2_to_t1`` takes a point of the T2 world to this image's world; ``person`` is whose head it is.
    """
    index = np.stack(np.meshgrid(*map(np.arange, shape), indexing="ij"), axis=-1).reshape(-1, 3)
    to_head = np.linalg.inv(np.eye(4) if t2_to_t1 is None else t2_to_t1) @ affine
    points = index @ to_head[:3, :3].T + to_head[:3, 3]
    tissue = sum(
        height * np.exp(-((points - centre) ** 2).sum(1) / (2 * width**2)) for centre, width, height in _blobs(person)
    )
    inside = 1 / (1 + np.exp((np.linalg.norm(points / [62, 75, 60], axis=1) - 1) * 40))
    value = {"t1": 300 + 250 * np.tanh(1.5 * tissue), "t2": 700 - 500 * np.tanh(tissue) + 200 * tissue**2}[contrast]
    noise = np.random.default_rng(len(contrast) + shape[0]).normal(0, 4, len(points))
    voxels = np.maximum(inside * value + noise, 0).reshape(1, *shape).astype(np.float32)
    return MetaTensor(torch.from_numpy(voxels), affine=affine, meta={"filename_or_obj": f"{contrast}.nii.gz"})


T2_SHAPE = (80, 96, 36)
T2_GRID = grid((2.0, 2.0, 4.0), T2_SHAPE)
T2 = head("t2", T2_GRID, T2_SHAPE)
SAGITTAL = np.array([[0.0, 0, 1], [-1, 0, 0], [0, -1, 0]])
OBLIQUE = moved((20, -15, 25))[:3, :3]
