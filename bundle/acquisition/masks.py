"""Masks by name, and masks that vary from draw to draw; the families stand in :mod:`.mask_families`."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import torch
from monai.transforms import Randomizable
from torch import Tensor

from ..errors import BundleError
from ..fourier import mirrored
from ..settings import checked_range
from .fastmri_masks import FastMRIEquispacedMask, FastMRIRandomMask
from .mask_families import CartesianMask, RadialMask, RandomLineMask, SpiralMask, UniformLineMask

__all__ = ["VariedMask", "accelerations", "effective_acceleration", "make_mask", "sampled_acceleration"]

_PATTERNS: dict[str, type[CartesianMask]] = {
    "random": RandomLineMask,
    "uniform": UniformLineMask,
    "radial": RadialMask,
    "spiral": SpiralMask,
    "fastmri_random": FastMRIRandomMask,
    "fastmri_equispaced": FastMRIEquispacedMask,
}


def make_mask(pattern: str, acceleration: float, center_fraction: float | None = None) -> CartesianMask:
    """The mask of that name: random, uniform, radial, spiral, fastmri_random or fastmri_equispaced.

    Raises:
        BundleError: when there is no such pattern, or as :class:`CartesianMask` does.
    """
    if pattern not in tuple(_PATTERNS):
        raise BundleError(f"There is no mask pattern {pattern!r}: choose one of {', '.join(_PATTERNS)}.")
    return _PATTERNS[pattern](acceleration, center_fraction)


class VariedMask(Randomizable):
    """A mask of a family and an acceleration that each draw chooses, all families and accelerations equally likely.

    Args:
        patterns: names of mask families (:func:`make_mask`).
        acceleration: lowest and highest; any value between them is drawn.
        center_fraction: as :class:`CartesianMask`; None chooses by the acceleration drawn.

    Raises:
        BundleError: an unknown family, no proper range, or one with an impossible mask in it.
    """

    def __init__(
        self, patterns: Sequence[str], acceleration: Sequence[float], center_fraction: float | None = None
    ) -> None:
        if isinstance(patterns, str) or not patterns:
            raise BundleError(f"patterns is a list of mask families, such as [random, radial]; not {patterns!r}.")
        self.patterns = tuple(patterns)
        self.acceleration = checked_range("acceleration", acceleration)
        self.center_fraction = center_fraction
        for pattern in self.patterns:  # an impossible mask is refused now, and not at a later draw
            for limit in self.acceleration:
                make_mask(pattern, limit, center_fraction)

    def sample(self, height: int, width: int) -> np.ndarray:
        """A new mask of a new family and acceleration, bool ``(h, w)``."""
        return self.draw().sample(height, width)

    def draw(self) -> CartesianMask:
        """The family and acceleration of the next mask."""
        pattern = self.patterns[self.R.randint(len(self.patterns))]
        mask = make_mask(pattern, self.R.uniform(*self.acceleration), self.center_fraction)
        mask.set_random_state(state=self.R)
        return mask


def sampled_acceleration(mask: np.ndarray | Tensor) -> float:
    """Points of the mask over points sampled: the acceleration that this draw has."""
    sampled = int((mask != 0).sum())
    if sampled == 0:
        raise BundleError("The mask samples no point at all, so it has no acceleration.")
    return math.prod(mask.shape) / sampled


def effective_acceleration(mask: np.ndarray | Tensor, hermitian: bool) -> float:
    """Points of the mask over points known.

    Args:
        mask: ``(h, w)``.
        hermitian: whether a sampled point tells the one opposite the centre, its complex conjugate, as in k-space that
            is made of a magnitude image; then what looks like 6x may be less than 4x.
    """
    known = torch.as_tensor(mask) != 0
    return sampled_acceleration(known | mirrored(known) if hermitian else known)


def accelerations(item: Mapping[str, Any]) -> dict[str, float]:
    """Both, of an item with ``mask`` and ``hermitian``, as :class:`~bundle.acquisition.VolumeDataset` has them."""
    mask = item["mask"]
    effective = effective_acceleration(mask, bool(item.get("hermitian", False)))
    return {"sampled_acceleration": sampled_acceleration(mask), "effective_acceleration": effective}
