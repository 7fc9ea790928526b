"""The phase that a scanner's image has and a magnitude image lost: with it, k-space is not Hermitian."""

from __future__ import annotations

import torch
from monai.transforms import Randomizable
from torch import Tensor
from torch.nn import functional as F

from ..errors import BundleError

__all__ = ["SmoothPhase"]

_POINTS = 5  # of the coarse grid along each axis: the phase turns about twice across the image


class SmoothPhase(Randomizable):
    """Give a magnitude image a smooth random phase, as of the field's inhomogeneity and the coils; one a scan.

    Args:
        level: standard deviation over the image, radians; 0 for none.

    Raises:
        BundleError: a negative level.
    """

    def __init__(self, level: float = 0.0) -> None:
        if not isinstance(level, (int, float)) or not 0 <= level < float("inf"):
            raise BundleError(f"phase_level is a number, 0 (none) or more, in radians; not {level!r}.")
        self.level = float(level)

    def sample(self, height: int, width: int) -> Tensor:
        """Draw a phase, ``(h, w)`` radians: random values on a coarse grid, bicubic between them."""
        generator = torch.Generator().manual_seed(int(self.R.randint(2**31)))
        coarse = torch.randn(1, 1, _POINTS, _POINTS, generator=generator)
        field = F.interpolate(coarse, (height, width), mode="bicubic", align_corners=True)[0, 0]
        return self.level * (field - field.mean()) / field.std()

    def __call__(self, image: Tensor) -> Tensor:
        """Magnitude ``(..., h, w)`` to complex, all slices with one phase; as it came where the level is 0."""
        if self.level == 0:
            return image
        phase = self.sample(*image.shape[-2:])
        return image * torch.polar(torch.ones_like(phase), phase)
