"""Thermal noise of the acquisition: complex Gaussian, added in k-space before the mask."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from monai.transforms import Randomizable
from torch import Tensor

from ..errors import BundleError
from ..settings import checked_range

__all__ = ["KspaceNoise", "VariedNoise"]

UNITS = ("mean", "foreground_mean", "snr_db")


class KspaceNoise(Randomizable):
    """Add complex Gaussian noise to k-space; the magnitude image is then Rician.

    The paper's "Rician noise with a power of 10 % of mean voxel intensities" (Sec. V-A): the standard deviation of the
    real and of the imaginary part is ``level`` times the image's mean voxel. With an orthonormal FFT it is the same in
    both domains.

    Args:
        level: in its unit; 0.1 in the paper, 0 for none, but of a signal-to-noise ratio.
        unit: ``"mean"``, standard deviation over the mean of all voxels of a slice, as in the paper;
            ``"foreground_mean"``, over that of the voxels above zero; ``"snr_db"``, the ratio of the slice's mean power
            to that of the noise, both parts of it, in decibels.

    Raises:
        BundleError: a negative level, a ratio below 1 dB, or an unknown unit.
    """

    def __init__(self, level: float = 0.1, unit: str = "mean") -> None:
        if not isinstance(level, (int, float)) or not 0 <= level < float("inf"):
            raise BundleError(f"noise_level is a number, 0 or more, in units of the mean voxel or dB; not {level!r}.")
        if unit not in UNITS:
            raise BundleError(f"noise_unit is one of {', '.join(UNITS)}; not {unit!r}.")
        if unit == "snr_db" and level < 1:
            raise BundleError(
                f"noise_level {level:g} with noise_unit snr_db would bury the image in noise; give the ratio in "
                "decibels, 1 or more, as 20, or leave out noise_unit."
            )
        self.level = float(level)
        self.unit = unit

    def sigma(self, image: Tensor) -> Tensor:
        """Standard deviation of each part: magnitude images ``(..., h, w)`` to ``(..., 1, 1)``, in their units."""
        if self.unit == "snr_db":
            return (image.square().mean(dim=(-2, -1), keepdim=True) / 2).sqrt() * 10 ** (-self.level / 20)
        voxels = torch.ones_like(image) if self.unit == "mean" else (image > 0).to(image.dtype)
        number = voxels.sum(dim=(-2, -1), keepdim=True).clamp(min=1)
        return self.level * image.sum(dim=(-2, -1), keepdim=True) / number

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
        level: lowest and highest.
        unit: as :class:`KspaceNoise`.

    Raises:
        BundleError: no proper range of levels.
    """

    def __init__(self, level: Sequence[float], unit: str = "mean") -> None:
        self.levels = checked_range("noise level", level)
        super().__init__(self.levels[0], unit)

    def __call__(self, kspace: Tensor, image: Tensor) -> Tensor:
        """As :class:`KspaceNoise`, at a new level; all slices of a stack have the same."""
        self.level = self.R.uniform(*self.levels)
        return super().__call__(kspace, image)
