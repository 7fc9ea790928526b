"""Training pairs as they may come: T1 displaced against T2, of another head, or missing; both images changed alike."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, Protocol

import numpy as np
import torch
from monai.data import get_track_meta, set_track_meta
from monai.transforms import Rand2DElastic, RandAffine, Randomizable
from monai.utils import convert_to_tensor
from torch import Tensor

from ..errors import BundleError

__all__ = ["Augmentation", "BothImages", "ImperfectGuide", "without_records"]

# pixels, radians, shares: about as much as two heads differ whose middles were laid on each other
_ANOTHER_HEAD: dict[str, Any] = {
    "spacing": (32, 32),
    "magnitude_range": (3, 9),
    "rotate_range": math.radians(15),
    "translate_range": (8, 8),
    "scale_range": (0.15, 0.15),
}


class Augmentation(Protocol):
    """Changes a pair of slices before its scan; a MONAI ``Randomizable``."""

    def set_random_state(self, seed: int | None = None) -> Randomizable:
        """Seed the draws of the next call."""
        ...

    def __call__(self, t1: Tensor, t2: Tensor) -> tuple[Tensor, Tensor]:
        """Both magnitude images ``(h, w)``."""
        ...


@contextmanager
def without_records() -> Iterator[None]:
    """MONAI's transforms give plain tensors meanwhile: their records of what they did take longer than they do."""
    before = get_track_meta()
    set_track_meta(False)
    try:
        yield
    finally:
        set_track_meta(before)


class ImperfectGuide(Randomizable):
    """Displace T1 in some slices, deform it in some, and leave it out of others, so that a network does not lean on a
    perfect one.

    Args:
        displaced: how often T1 is displaced, 0 to 1.
        pixels: greatest shift along each axis.
        degrees: greatest rotation about the middle of the matrix.
        missing: how often T1 is zero, 0 to 1.
        deformed: how often T1 is bent, turned and shifted so far that it could be of another head, 0 to 1.

    Raises:
        BundleError: a share outside 0 to 1.
    """

    def __init__(
        self,
        displaced: float = 0.3,
        pixels: float = 3.0,
        degrees: float = 3.0,
        missing: float = 0.1,
        deformed: float = 0.0,
    ) -> None:
        for name, share in (("displaced", displaced), ("missing", missing), ("deformed", deformed)):
            if not isinstance(share, (int, float)) or not 0 <= share <= 1:
                raise BundleError(f"{name} is the share of slices, from 0 to 1, not {share!r}.")
        self.missing = missing
        self.deformed = deformed
        self.displace = RandAffine(
            prob=displaced,
            rotate_range=math.radians(degrees),
            translate_range=(pixels, pixels),
            mode="bilinear",
            padding_mode="zeros",
        )
        self.deform = Rand2DElastic(prob=1.0, mode="bilinear", padding_mode="zeros", **_ANOTHER_HEAD)

    def set_random_state(self, seed: int | None = None, state: np.random.RandomState | None = None) -> ImperfectGuide:
        """Seed all draws, which share one generator."""
        super().set_random_state(seed, state)
        for transform in (self.displace, self.deform):
            transform.set_random_state(state=self.R)
        return self

    def __call__(self, t1: Tensor, t2: Tensor) -> tuple[Tensor, Tensor]:
        """Both ``(h, w)``; T2 is returned as it came."""
        if self.R.random_sample() < self.missing:
            return torch.zeros_like(t1), t2
        shown = self.displace(t1[None])
        if self.R.random_sample() < self.deformed:  # drawn here, as MONAI's resamples what it does not deform, too
            shown = self.deform(shown)
        return convert_to_tensor(shown, track_meta=False)[0], t2


class BothImages(Randomizable):
    """Change T1 and T2 alike, by a transform of MONAI's, such as ``RandFlip``.

    Args:
        transform: a random transform of an image ``(c, h, w)``, which gets T1 and T2 as its two channels.

    Raises:
        BundleError: a transform that is not random, or that changes the number of images.
    """

    def __init__(self, transform: Callable) -> None:
        if not isinstance(transform, Randomizable):
            raise BundleError(
                f"Both images are changed by a random transform of MONAI's, such as RandFlip, not {transform!r}."
            )
        self.transform: Any = transform

    def set_random_state(self, seed: int | None = None, state: np.random.RandomState | None = None) -> BothImages:
        """Seed the transform's draws."""
        super().set_random_state(seed, state)
        self.transform.set_random_state(state=self.R)
        return self

    def __call__(self, t1: Tensor, t2: Tensor) -> tuple[Tensor, Tensor]:
        """Both ``(h, w)``."""
        changed = self.transform(torch.stack((t1, t2)))
        if not isinstance(changed, Tensor) or len(changed) != 2:
            name = type(self.transform).__name__
            raise BundleError(f"{name} made {len(changed)} images of T1 and T2; leave their number as it is.")
        first, second = convert_to_tensor(changed, track_meta=False)
        return first.contiguous(), second.contiguous()
