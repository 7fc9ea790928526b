"""Receive coils that surround the image, made by a formula: what k-space of several coils is simulated with."""

from __future__ import annotations

import math

import torch
from monai.transforms import Randomizable
from torch import Tensor

from ..errors import BundleError

__all__ = ["SimulatedCoils"]

_DISTANCE, _WIDTH = 1.1, 1.0  # of a coil from the middle, and of its sensitivity, in half matrices
_TURN = 0.6  # radians from the middle to the edge


class SimulatedCoils(Randomizable):
    """Smooth complex sensitivities of coils on a ring, which each draw turns.

    Each falls off as a Gaussian from its place on the ring, and has a phase of its own that grows along one direction.
    Their squares sum to 1 at each voxel, so that coil images combined with them are the image, and equal noise in all
    coils is noise of the same standard deviation in it.

    Args:
        number: of coils.

    Raises:
        BundleError: less than one.
    """

    def __init__(self, number: int = 8) -> None:
        if not isinstance(number, int) or isinstance(number, bool) or number < 1:
            raise BundleError(f"coils is a whole number from 1 on, not {number!r}.")
        self.number = number

    def sample(self, height: int, width: int) -> Tensor:
        """Draw sensitivities, complex64 ``(coils, h, w)``."""
        y, x = torch.meshgrid(torch.linspace(-1, 1, height), torch.linspace(-1, 1, width), indexing="ij")
        first, offsets, slopes = self.R.uniform(), self.R.uniform(size=self.number), self.R.uniform(size=self.number)
        maps = []
        for coil in range(self.number):
            place, slope = 2 * math.pi * (coil + first) / self.number, 2 * math.pi * slopes[coil]
            squared = (y - _DISTANCE * math.sin(place)) ** 2 + (x - _DISTANCE * math.cos(place)) ** 2
            phase = 2 * math.pi * offsets[coil] + _TURN * (y * math.sin(slope) + x * math.cos(slope))
            maps.append(torch.polar(torch.exp(-squared / (2 * _WIDTH**2)), phase))
        stacked = torch.stack(maps)
        return stacked / torch.linalg.vector_norm(stacked, dim=0)
