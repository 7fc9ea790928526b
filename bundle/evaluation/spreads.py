"""What a voxel's uncertainty is made of: what the scan left out, what T1 gave, and what the image shows itself.

Squares of

* ``noise``: what outer k-space holds (:func:`~bundle.networks.data_consistency.measured_noise`), one value a slice;
* ``edges``: the gradient of the reconstruction, in units a voxel;
* ``unseen``: the reconstruction, times the root of the share of a small spot's energy that the scan did not sample:
  what a lesion there can lose;
* ``without_t1``: the change of the reconstruction when T1 is left out.

The last is another reconstruction. All are smoothed over a few voxels.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from typing import NamedTuple

import torch
from monai.networks.layers import gaussian_1d, separable_filtering
from torch import Tensor

from ..networks.data_consistency import measured_noise
from ..networks.inputs import sampled_points, t2_kspace

__all__ = ["SPREADS", "Scanned", "squared_spreads", "unseen_share"]

SPOT = 1.5  # voxels, the standard deviation of the spot: that of a disc of six voxels across
SMOOTHING = 1.5  # voxels, the standard deviation of the window


class Scanned(NamedTuple):
    """A scan and what became of it, of ``s`` slices, scaled as the network has them.

    Attributes:
        reconstruct: images as ``image`` to ``(s, 1, h, w)``.
        image: both k-spaces ``(s, 4, h, w)``.
        mask: the points that were sampled, bool ``(h, w)``.
        found: what ``reconstruct`` gives of ``image``.
    """

    reconstruct: Callable[[Tensor], Tensor]
    image: Tensor
    mask: Tensor
    found: Tensor


def squared_spreads(scanned: Scanned, names: Iterable[str]) -> dict[str, Tensor]:
    """The squares of some of :data:`SPREADS`, smoothed, each ``(s, 1, h, w)``."""
    kernel = gaussian_1d(torch.tensor(SMOOTHING), approx="sampled")
    squares = {name: SPREADS[name](scanned).float() for name in names}
    return {name: separable_filtering(square, [kernel, kernel], mode="replicate") for name, square in squares.items()}


def _noise(scanned: Scanned) -> Tensor:
    noise = measured_noise(t2_kspace(scanned.image), sampled_points(scanned.image))
    return (noise**2).expand_as(scanned.found)


def _edges(scanned: Scanned) -> Tensor:
    down, across = torch.gradient(scanned.found, dim=(-2, -1))
    return down**2 + across**2


def _unseen(scanned: Scanned) -> Tensor:
    return scanned.found**2 * unseen_share(scanned.mask)


def _without_t1(scanned: Scanned) -> Tensor:
    kspace = t2_kspace(scanned.image)
    return (scanned.reconstruct(torch.cat((torch.zeros_like(kspace), kspace), dim=1)) - scanned.found) ** 2


def unseen_share(mask: Tensor) -> Tensor:
    """Of a Gaussian spot's energy, the share at points of k-space that ``mask``, bool ``(h, w)``, does not sample.

    A point whose mirror image was sampled counts as not sampled, though a magnitude image's k-space is Hermitian.
    """
    rows, columns = (torch.arange(size, device=mask.device) / size - size // 2 / size for size in mask.shape)
    energy = torch.exp(-((2 * math.pi * SPOT) ** 2) * (rows[:, None] ** 2 + columns**2))
    return (energy * ~mask).sum() / energy.sum()


SPREADS: dict[str, Callable[[Scanned], Tensor]] = {
    "noise": _noise,
    "edges": _edges,
    "unseen": _unseen,
    "without_t1": _without_t1,
}
