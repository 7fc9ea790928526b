"""Thermal noise of the acquisition: complex Gaussian, added in k-space before the mask."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from monai.transforms import Randomizable
from torch import Tensor

from ..errors import BundleError
from ..settings import checked_range

__all__ = ["KspaceNoise", "VariedNoise"]


class KspaceNoise(Randomizable):
    """Add complex Gaussian noise to k-space; the magnitude image is then Rician.

    The paper's "Rician noise with a power of 10 % of mean voxel intensities" (Sec. V-A): the standard deviation of the
    real and of the imaginary part is ``level`` times the image's mean voxel. With an orthonormal FFT it is the same in
    both domains.

    Args:
        level: standard deviation in units of the mean voxel; 0.1 in the paper, 0 for none.
        mean_over: ``"image"``, all voxels of a slice as in the paper, or ``"foreground"``, those above zero only.

    Raises:
        BundleError: a negative level, or an unknown ``mean_over``.
    """

    def __init__(self, level: float = 0.1, mean_over: str = "image") -> None:
        if not isinstance(level, (int, float)) or not 0 <= level < float("inf"):
            raise BundleError(f"noise_level is a number, 0 (none) or more, in units of the mean voxel; not {level!r}.")
        if mean_over not in ("image", "foreground"):
            raise BundleError(f"The noise's mean_over is 'image' or 'foreground', not {mean_over!r}.")
        self.level = float(level)
        self.mean_over = mean_over

    def sigma(self, image: Tensor) -> Tensor:
        """Standard deviation of each part: magnitude images ``(..., h, w)`` to ``(..., 1, 1)``, in their units."""
        total = image.sum(dim=(-2, -1), keepdim=True)
        if self.mean_over == "image":
            return self.level * total / (image.shape[-2] * image.shape[-1])
        return self.level * total / (image > 0).sum(dim=(-2, -1), keepdim=True).clamp(min=1)

    def __call__(self, kspace: Tensor, image: Tensor) -> Tensor:
        """Draw noise and add it.

        Args:
            kspace: complex, ``(..., h, w)``.
            image: its noise-free magnitude image, ``(..., h, w)``, which sets the noise's level.
        """
        generator = torch.Generator().manual_seed(int(self.R.randint(2**31)))
        # torch's complex normal deviate has variance 1 in all, 1/2 in each part
        noise = torch.randn(kspace.shape, dtype=kspace.dtype, generator=generator) * 2**0.5
        return kspace + self.sigma(image) * noise


class VariedNoise(KspaceNoise):
    """Noise of a level that each draw chooses.

    Args:
        level: lowest and highest, in units of the mean voxel.
        mean_over: as :class:`KspaceNoise`.

    Raises:
        BundleError: no proper range of levels.
    """

    def __init__(self, level: Sequence[float], mean_over: str = "image") -> None:
        self.levels = checked_range("noise level", level)
        super().__init__(self.levels[0], mean_over)

    def __call__(self, kspace: Tensor, image: Tensor) -> Tensor:
        """As :class:`KspaceNoise`, at a new level; all slices of a stack have the same."""
        self.level = self.R.uniform(*self.levels)
        return super().__call__(kspace, image)
