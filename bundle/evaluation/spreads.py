"""What a voxel's uncertainty is made of: how far its image moves when less is known, and what the image shows itself.

Squares of

* ``noise``: what outer k-space holds (:func:`~bundle.networks.data_consistency.measured_noise`), one value a slice;
* ``level``: the reconstruction;
* ``edges``: its gradient, in units a voxel;
* ``left_out``: its change when a fifth of the measured lines, or points, outside the centre is left out, too;
* ``without_t1``: its change when T1 is.

Each of the last two is another reconstruction. All are smoothed over a few voxels, as few repetitions know little of a
single one.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import NamedTuple

import torch
from monai.networks.layers import gaussian_1d, separable_filtering
from torch import Tensor

from ..networks.data_consistency import measured_noise
from ..networks.inputs import sampled_points, t1_kspace, t2_kspace

__all__ = ["SPREADS", "Scanned", "squared_spreads"]

LEFT_OUT, CENTRE = 0.2, 0.05  # of the samples outside the centre; its radius, of the matrix
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


def _level(scanned: Scanned) -> Tensor:
    return scanned.found**2


def _edges(scanned: Scanned) -> Tensor:
    down, across = torch.gradient(scanned.found, dim=(-2, -1))
    return down**2 + across**2


def _left_out(scanned: Scanned) -> Tensor:
    kept = torch.cat((t1_kspace(scanned.image), t2_kspace(scanned.image) * _kept(scanned.mask)), dim=1)
    return (scanned.reconstruct(kept) - scanned.found) ** 2


def _without_t1(scanned: Scanned) -> Tensor:
    kspace = t2_kspace(scanned.image)
    return (scanned.reconstruct(torch.cat((torch.zeros_like(kspace), kspace), dim=1)) - scanned.found) ** 2


def _kept(mask: Tensor) -> Tensor:
    """What is not left out, bool ``(h, w)``, the same for every scan with this mask: lines where it is of lines."""
    height, width = mask.shape
    rows, columns = torch.meshgrid(*(torch.arange(n) / n - n // 2 / n for n in (height, width)), indexing="ij")
    distance, shape = torch.hypot(rows, columns), (height, width)
    if bool((mask == mask[:1]).all()):
        distance, shape = columns.abs(), (1, width)
    elif bool((mask == mask[:, :1]).all()):
        distance, shape = rows.abs(), (height, 1)
    drawn = torch.rand(shape, generator=torch.Generator().manual_seed(0)) < LEFT_OUT
    return ~(drawn & (distance > CENTRE)).to(mask.device)


SPREADS: dict[str, Callable[[Scanned], Tensor]] = {
    "noise": _noise,
    "level": _level,
    "edges": _edges,
    "left_out": _left_out,
    "without_t1": _without_t1,
}
