"""Training pairs with lesion-like spots in T2 alone, in T1 alone, or in both, so that T1 is no sure sign of T2."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from monai.transforms import Randomizable
from scipy.special import expit
from torch import Tensor

from ..errors import BundleError

__all__ = ["InsertedLesions"]

_EDGE = 0.7  # pixels, softness of the outline
_AROUND = 4  # pixels to each side, whose median is the tissue


class InsertedLesions(Randomizable):
    """Put ellipses into some slices: what T2 alone shows has to be kept, and what T1 alone shows not to be invented.

    They lie anywhere in the head, add a share of the tissue around them, and are there before the scan, so that the
    target has them.

    Args:
        slices: share of the slices that get any, 0 to 1.
        count: fewest and most of them in a slice.
        diameter: least and greatest, pixels; along each axis of the ellipse.
        t1_contrast, t2_contrast: over the tissue, least and greatest; a negative one is dark.

    Raises:
        BundleError: a share outside 0 to 1, or a range that is none.
    """

    def __init__(
        self,
        slices: float = 0.5,
        count: Sequence[int] = (1, 6),
        diameter: Sequence[float] = (3, 14),
        t1_contrast: Sequence[float] = (-0.5, 0.3),
        t2_contrast: Sequence[float] = (-0.3, 1.0),
    ) -> None:
        if not isinstance(slices, (int, float)) or not 0 <= slices <= 1:
            raise BundleError(f"slices is the share of slices with lesions, from 0 to 1, not {slices!r}.")
        ranges = {"count": count, "diameter": diameter, "t1_contrast": t1_contrast, "t2_contrast": t2_contrast}
        for name, given in ranges.items():
            above = ", above 0" if name in ("count", "diameter") else ""
            if not _is_range(given, int if name == "count" else (int, float)) or (above and given[0] <= 0):
                raise BundleError(f"{name} of the lesions is a pair, the least and the greatest{above}, not {given!r}.")
        self.slices = slices
        self.count, self.diameter = count, diameter
        self.contrasts = (t1_contrast, t2_contrast)

    def __call__(self, t1: Tensor, t2: Tensor) -> tuple[Tensor, Tensor]:
        """Both ``(h, w)``; new ones where something was put in."""
        head = np.argwhere((t2 > t2.mean()).numpy())
        if self.R.random_sample() >= self.slices or not len(head):
            return t1, t2
        images = [t1.clone(), t2.clone()]
        for _ in range(self.R.randint(self.count[0], self.count[1] + 1)):
            middle = head[self.R.randint(len(head))]
            profile = self._ellipse(t2.shape, middle)
            shown = ((True, True), (True, False), (False, True))[self.R.randint(3)]  # in T1, in T2
            for image, contrast, is_shown in zip(images, self.contrasts, shown):
                amount = self.R.uniform(contrast[0], contrast[1])  # drawn in any case, so that the draws stay in step
                if is_shown:
                    image += amount * _tissue(image, middle) * profile
                    image.clamp_(min=0)  # a dark one across the head's edge
        return images[0], images[1]

    def _ellipse(self, shape: Sequence[int], middle: np.ndarray) -> Tensor:
        """From 0 to 1, ``(h, w)``: about 1 inside."""
        axes = self.R.uniform(self.diameter[0], self.diameter[1], size=2) / 2
        angle = self.R.uniform(0, np.pi)
        rows, columns = np.ogrid[: shape[0], : shape[1]]
        y, x = rows - middle[0], columns - middle[1]
        along, across = y * np.cos(angle) + x * np.sin(angle), x * np.cos(angle) - y * np.sin(angle)
        radius = np.hypot(along / axes[0], across / axes[1])
        return torch.from_numpy(expit((1 - radius) * axes.min() / _EDGE).astype(np.float32))


def _is_range(given: Any, kinds: type | tuple[type, ...]) -> bool:
    pair = isinstance(given, Sequence) and len(given) == 2 and all(isinstance(value, kinds) for value in given)
    return pair and given[0] <= given[1]


def _tissue(image: Tensor, middle: np.ndarray) -> Tensor:
    """The median around a place."""
    row, column = (slice(max(0, place - _AROUND), place + _AROUND + 1) for place in map(int, middle))
    return image[row, column].median()
