"""The smooth phase of an image, from the middle of k-space, taken out for a network that was trained without any.

A scanner's image has a phase, which changes slowly across it; one whose magnitude was scanned in simulation has none.
The middle of k-space is always sampled and holds what is smooth. As in homodyne detection of partial Fourier scans
(Noll et al., IEEE TMI 1991).
"""

from __future__ import annotations

import torch
from torch import Tensor

from ..fourier import magnitude, to_image

__all__ = ["smooth_phase", "turned"]


def smooth_phase(kspace: Tensor, lines: float = 4.0) -> Tensor:
    """``exp(i phase)`` of an image, 1 where it has no signal.

    Args:
        kspace: ``(b, 2, h, w)``, zero where it was not sampled.
        lines: standard deviation of the window about the middle of k-space.
    """
    rows, columns = (
        torch.arange(size, device=kspace.device, dtype=kspace.dtype) - size // 2
        for size in (kspace.shape[-2], kspace.shape[-1])
    )
    window = torch.exp(-(rows[:, None] ** 2 + columns**2) / (2 * lines**2))
    smooth = to_image(kspace * window)
    length = magnitude(smooth)
    one = torch.cat((torch.ones_like(length), torch.zeros_like(length)), dim=1)
    return torch.where(length > 0, smooth / length.clamp(min=1e-30), one)


def turned(image: Tensor, by: Tensor, back: bool = False) -> Tensor:
    """Complex images ``(b, 2, h, w)`` times ``by``, or its conjugate, of magnitude 1."""
    real, imaginary = image[:, :1], image[:, 1:]
    cosine, sine = by[:, :1], -by[:, 1:] if back else by[:, 1:]
    return torch.cat((real * cosine - imaginary * sine, real * sine + imaginary * cosine), dim=1)
