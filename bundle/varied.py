"""Scans that vary: mask family, acceleration and noise drawn anew for every slice, for one network that serves all."""

from __future__ import annotations

from collections.abc import Sequence
from numbers import Real

import numpy as np
from monai.transforms import Randomizable
from torch import Tensor

from .errors import BundleError
from .masks import CartesianMask, make_mask
from .noise import KspaceNoise

__all__ = ["VariedMask", "VariedNoise"]


class VariedMask(Randomizable):
    """A mask of a family and an acceleration that each draw chooses, all families and accelerations equally likely.

    Args:
        patterns: names of mask families (:func:`bundle.masks.make_mask`).
        acceleration: lowest and highest; any value between them is drawn.
        center_fraction: as :class:`~bundle.masks.CartesianMask`; None chooses by the acceleration drawn.

    Raises:
        BundleError: an unknown family, a range that is none, or a mask that cannot exist.
    """

    def __init__(
        self, patterns: Sequence[str], acceleration: Sequence[float], center_fraction: float | None = None
    ) -> None:
        if isinstance(patterns, str) or not patterns:
            raise BundleError(f"patterns is a list of mask families, such as [random, radial]; not {patterns!r}.")
        self.patterns = tuple(patterns)
        self.acceleration = _checked_range("acceleration", acceleration)
        self.center_fraction = center_fraction
        for pattern in self.patterns:  # refuse now what a later draw could not make
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


class VariedNoise(KspaceNoise):
    """Noise of a level that each draw chooses.

    Args:
        level: lowest and highest, in units of the mean voxel.
        mean_over: as :class:`~bundle.noise.KspaceNoise`.

    Raises:
        BundleError: a range that is none, or a level that cannot be.
    """

    def __init__(self, level: Sequence[float], mean_over: str = "image") -> None:
        self.levels = _checked_range("noise level", level)
        super().__init__(self.levels[0], mean_over)

    def __call__(self, kspace: Tensor, image: Tensor) -> Tensor:
        """As :class:`~bundle.noise.KspaceNoise`, at a new level; all slices of a stack have the same."""
        self.level = self.R.uniform(*self.levels)
        return super().__call__(kspace, image)


def _checked_range(name: str, limits: Sequence[float]) -> tuple[float, float]:
    pair = isinstance(limits, Sequence) and not isinstance(limits, str) and len(limits) == 2
    if not pair or not all(isinstance(limit, Real) for limit in limits) or not 0 <= limits[0] <= limits[1] < np.inf:
        raise BundleError(f"A varied {name} is drawn between two numbers, [lowest, highest]; not {limits!r}.")
    return float(limits[0]), float(limits[1])
