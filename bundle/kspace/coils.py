"""Coil sensitivities estimated from the scan itself, and coils combined with them.

The adaptive estimate of Walsh, Gmitro and Marcellin (MRM 2000): at each voxel the sensitivities are the eigenvector of
the largest eigenvalue of the coils' covariance in a small window. sigpy and BART, which have ESPIRiT, would bring numba
or a program of their own; this needs torch alone.
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F

from ..fourier import ifft2c
from .sampling import Sampling

__all__ = ["combine", "estimate_maps"]

_LARGEST_BLOCK = 64  # lines; of an undersampled scan, more than this of the centre adds noise and no smooth map
_WINDOW = 5  # voxels
_TURNS = 12  # of the power iteration; the largest eigenvalue stands far above the others where there is signal


def estimate_maps(kspace: Tensor, sampling: Sampling) -> Tensor:
    """Sensitivities of each slice.

    They are taken from the fully sampled block around the zero frequency, tapered; of a fully sampled scan from all of
    its k-space. Their squares sum to 1 at each voxel, and they have the phase of the image, so that an image combined
    with them is nearly real and positive, as the networks are used to. A single coil has a map of that phase alone.

    Args:
        kspace: complex, ``(slices, coils, h, w)``.
        sampling: of it.

    Returns:
        complex64, ``(slices, coils, h, w)``.
    """
    return torch.stack([_maps_of(coils, sampling) for coils in kspace])


def combine(images: Tensor, maps: Tensor) -> Tensor:
    """Coil images ``(..., coils, h, w)`` to the complex image ``(..., h, w)`` that explains them best."""
    return (maps.conj() * images).sum(dim=-3)


def _maps_of(kspace: Tensor, sampling: Sampling) -> Tensor:
    """``(coils, h, w)`` to the same."""
    smooth = ifft2c(kspace * _taper(sampling, largest=_LARGEST_BLOCK).to(kspace.device))
    images = ifft2c(kspace) if sampling.is_full else smooth
    maps = images / torch.linalg.vector_norm(images, dim=0).clamp(min=1e-20)
    if len(kspace) > 1:
        maps = _dominant(images, maps)
    phase = combine(smooth, maps)
    phase = torch.where(phase == 0, torch.ones_like(phase), phase / phase.abs().clamp(min=1e-20))
    return (maps * phase).to(torch.complex64)


def _dominant(images: Tensor, start: Tensor) -> Tensor:
    """The dominant eigenvector of the windowed covariance of coil images, by power iteration; ``(coils, h, w)``."""
    covariance = images[:, None] * images[None].conj()
    parts = torch.view_as_real(covariance).movedim(-1, 0).flatten(0, 2)  # (2 c c, h, w)
    padded = F.pad(parts[None], [_WINDOW // 2] * 4, mode="replicate")
    mean = F.avg_pool2d(padded, _WINDOW, stride=1)[0].unflatten(0, (2, *covariance.shape[:2]))
    covariance = torch.complex(mean[0], mean[1])
    vector = start
    for _ in range(_TURNS):
        vector = torch.einsum("abhw,bhw->ahw", covariance, vector)
        length = torch.linalg.vector_norm(vector, dim=0)
        vector = torch.where(length > 0, vector / length.clamp(min=1e-30), start)
    return vector


def _taper(sampling: Sampling, largest: int) -> Tensor:
    """A Hann window over the fully sampled block, ``(h, w)``, 0 outside."""
    height, width = sampling.acquired.shape
    windows = []
    for size, part in zip((height, width), sampling.block):
        middle = size // 2
        half = min(middle - part.start, part.stop - middle, largest // 2)
        distance = torch.arange(size) - middle
        window = torch.cos(distance * torch.pi / (2 * max(half, 1) + 1)) ** 2
        windows.append(torch.where(distance.abs() <= max(half, 1), window, 0.0))
    return windows[0][:, None] * windows[1]
