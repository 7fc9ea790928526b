"""Zero-filled or interpolated k-space, found in an image: an outer border that holds next to nothing.

Scanners often show a larger matrix than they acquired. The outer k-space of such an image, whose magnitude was taken
and rounded, is not zero, but far below what detail and noise leave there. A k-space made of the image anew then has
samples that were never measured, and a reconstruction of it looks better than one of a scan.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import torch

from ..fourier import fft2c

__all__ = ["Border", "empty_border"]

_STEP = 1 / 8  # of the half axis, within which the power falls into the border
_LEAST_FALL = 7.0  # dB over that step; images as they were acquired have 1 to 5
_LEAST_WIDTH = 1 / 16  # of the half axis; less is the roll-off of a filter
_SMALLEST = 32  # voxels; a shorter axis tells too little
_SLICES = 8  # the brightest ones are looked at


class Border(NamedTuple):
    """Of one axis of an image.

    Attributes:
        size: voxels.
        filled: lines of k-space inside the border, all of them where there is none.
        fall: of the power into the border, or from a quarter of the radius to the edge where there is none, dB.
    """

    size: int
    filled: int
    fall: float

    @property
    def is_empty(self) -> bool:
        """Whether there is such a border."""
        return self.filled < self.size


def empty_border(slices: np.ndarray) -> tuple[Border, Border]:
    """Of rows and columns of an image's k-space.

    Args:
        slices: magnitude ``(s, h, w)``.
    """
    brightest = np.argsort(slices.reshape(len(slices), -1).mean(axis=1))[-_SLICES:]
    image = torch.from_numpy(np.ascontiguousarray(slices[brightest], dtype=np.float32))
    power = fft2c(image).abs().square().sum(dim=0).double().numpy()
    return _border(power.sum(axis=1)), _border(power.sum(axis=0))


def _border(power: np.ndarray) -> Border:
    """From the power of each line of one axis: the steepest fall to what stays below it until the edge."""
    size, half = power.size, power.size // 2
    if size < _SMALLEST or not power.any():
        return Border(size, size, 0.0)
    both = (power[half:0:-1] + np.append(power[half:], power[0])[:half]) / 2  # by distance from the middle
    width = max(1, half // 16)
    level = 10 * np.log10(np.convolve(both + both.max() * 1e-14, np.ones(width) / width, "valid"))
    beyond = np.maximum.accumulate(level[::-1])[::-1]  # the most that is left from here to the edge
    step, first = max(2, round(_STEP * half)), 3 * half // 8  # nearer to the middle all images fall steeply
    falls = level[first:-step] - beyond[first + step :]
    steepest = int(falls.argmax())
    begin = first + steepest + step // 2 + width // 2
    if falls[steepest] < _LEAST_FALL or half - begin < max(2.0, _LEAST_WIDTH * half):
        return Border(size, size, float(level[half // 4] - level[-1]))
    return Border(size, 2 * begin, float(falls[steepest]))
