"""Random fields of a wanted grain, standard deviation 1: what makes one person's anatomy differ from another's."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from scipy import ndimage
from torch.nn import functional

__all__ = ["Volume", "grain", "smooth_noise", "texture"]

Volume = NDArray[np.float32]


def grain(rng: np.random.Generator, shape: tuple[int, ...], width: float) -> Volume:
    """White noise filtered by a Gaussian of ``width`` voxels, standard deviation 1."""
    noise = ndimage.gaussian_filter(rng.standard_normal(shape, dtype=np.float32), width, truncate=2.5)
    return noise / noise.std()


def smooth_noise(rng: np.random.Generator, shape: tuple[int, ...], period: float) -> Volume:
    """Random nodes ``period`` voxels apart, interpolated; standard deviation 1."""
    nodes = rng.standard_normal([int(size / period) + 3 for size in shape], dtype=np.float32)
    # cubic to nodes 8 voxels apart, then linear: looks as smooth, and is many times as fast as cubic alone
    coarse = ndimage.zoom(nodes, max(1.0, period / 8), order=3)
    full = functional.interpolate(torch.from_numpy(coarse)[None, None], size=shape, mode="trilinear")[0, 0].numpy()
    return full / full.std()


def texture(rng: np.random.Generator, shape: tuple[int, ...]) -> Volume:
    """Variation below and at the scale of tissue, standard deviation about 1."""
    return 0.7 * grain(rng, shape, 0.9) + 0.7 * smooth_noise(rng, shape, 8)
