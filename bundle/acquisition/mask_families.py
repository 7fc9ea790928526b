"""Sampling masks of k-space with an exact number of samples: 1D random, 1D uniform, 2D radial, 2D spiral.

Acceleration counts every sampled point, the fully sampled centre included, and is exact: ``round(w / R)`` lines in 1D,
``round(h * w / R)`` points in 2D, for any size. Lines are columns: the last axis is the phase-encoding direction, the
readout along ``h`` is complete. The zero frequency stands at ``(h // 2, w // 2)``.

``center_fraction`` f is the fully sampled centre: ``round(w * f)`` lines in 1D, an ellipse with the diameters ``f * h``
and ``f * w`` in 2D. Not given, it is 8 % up to 4x, 6 % between 4x and 8x, 4 % from 8x on.
"""

from __future__ import annotations

import math
from abc import abstractmethod
from numbers import Real
from typing import TypeGuard

import numpy as np
import torch
from monai.apps.reconstruction.complex_utils import convert_to_tensor_complex
from monai.apps.reconstruction.transforms.array import KspaceMask
from monai.config.type_definitions import NdarrayOrTensor
from torch import Tensor

from ..errors import BundleError
from ..fourier import ifft2c
from ..settings import plain
from .trajectories import first_distinct, points_by_radius, radial_points, spiral_points

__all__ = [
    "CartesianMask",
    "LineMask",
    "RadialMask",
    "RandomLineMask",
    "SpiralMask",
    "TrajectoryMask",
    "UniformLineMask",
]


class CartesianMask(KspaceMask):
    """What all masks share; a subclass draws its geometry in ``_draw``.

    Each call of :meth:`sample` is a new draw from ``self.R``; ``set_random_state(seed=...)`` makes it repeatable.

    Args:
        acceleration: R, at least 1; 1 is the full mask.
        center_fraction: between 0 and 1; None chooses by acceleration (see the module).

    Raises:
        BundleError: when a value is out of range, or the centre alone is more than the acceleration allows.
    """

    def __init__(self, acceleration: float, center_fraction: float | None = None) -> None:
        self.acceleration = _checked_acceleration(acceleration)
        self.center_fraction = _checked_center_fraction(center_fraction, self.acceleration)
        super().__init__([self.center_fraction], [self.acceleration], spatial_dims=2, is_complex=True)
        self._check_center(100 / self.acceleration, 100 * self._center_share(), "% of k-space")

    def sample(self, height: int, width: int) -> np.ndarray:
        """A new mask, bool ``(h, w)``, True where k-space is sampled.

        Raises:
            BundleError: when the centre alone is more than the acceleration allows at this size.
        """
        if self.acceleration == 1:
            return np.ones((height, width), dtype=bool)
        return self._draw(height, width)

    def __call__(self, kspace: NdarrayOrTensor) -> tuple[Tensor, Tensor]:
        """Undersample with a new draw, as MONAI's masks do; the mask is kept as ``self.mask``, ``(1, ..., h, w, 1)``.

        Args:
            kspace: complex ``(..., coils, h, w)``, or real ``(..., coils, h, w, 2)`` with real and imaginary parts.

        Returns:
            undersampled k-space ``(..., coils, h, w, 2)``, and the magnitude of its inverse FFT, coils combined by root
            sum of squares, ``(..., h, w)``.
        """
        full = convert_to_tensor_complex(kspace)
        if full.ndim < 4 or full.shape[-1] != 2:
            shape = tuple(full.shape)
            raise BundleError(f"Expected k-space (..., coils, h, w, 2) or complex (..., coils, h, w), but got {shape}.")
        height, width = full.shape[-3:-1]
        mask = torch.from_numpy(self.sample(height, width)).to(full)
        self.mask = mask.reshape(*[1] * (full.ndim - 3), height, width, 1)
        sampled = self.mask * full
        image = ifft2c(torch.complex(sampled[..., 0], sampled[..., 1])).abs()
        return sampled, torch.linalg.vector_norm(image, dim=-3)

    @abstractmethod
    def _draw(self, height: int, width: int) -> np.ndarray:
        """A new mask, bool ``(h, w)``, for an acceleration above 1."""

    def _center_share(self) -> float:
        """Share of k-space that the fully sampled centre takes: that many of its lines, unless overridden."""
        return self.center_fraction

    def _check_center(self, sampled: float, center: float, unit: str) -> None:
        if center > sampled:
            raise BundleError(
                f"An acceleration of {self.acceleration:g} samples {sampled:.4g} {unit}, but the centre of "
                f"center_fraction {self.center_fraction:g} alone takes {center:.4g}: lower one of the two."
            )


class LineMask(CartesianMask):
    """1D masks: ``round(w / R)`` columns, of which ``round(w * center_fraction)``, at least one, are the centre."""

    def _draw(self, height: int, width: int) -> np.ndarray:
        count, center = round(width / self.acceleration), max(1, round(width * self.center_fraction))
        self._check_center(count, center, f"of {width} lines")
        first = width // 2 - center // 2
        lines = np.zeros(width, dtype=bool)
        lines[first : first + center] = True
        lines[np.flatnonzero(~lines)[self._choose(width - center, count - center)]] = True
        return np.tile(lines, (height, 1))

    @abstractmethod
    def _choose(self, outside: int, count: int) -> np.ndarray:
        """``count`` distinct numbers below ``outside``: which of the lines outside the centre, left to right."""


class RandomLineMask(LineMask):
    """1D random: the lines outside the centre are drawn uniformly, without replacement."""

    def _choose(self, outside: int, count: int) -> np.ndarray:
        return self.R.permutation(outside)[:count]


class UniformLineMask(LineMask):
    """1D uniform: the lines outside the centre are equidistant, to within one line, at a random offset.

    The distance is ``outside / count``, a fraction in general; the grid of lines skips the centre and closes around the
    edge of k-space, which is periodic.
    """

    def _choose(self, outside: int, count: int) -> np.ndarray:
        return ((np.arange(count) + self.R.random_sample()) * (outside / max(count, 1))).astype(int)


class TrajectoryMask(CartesianMask):
    """2D masks: the centre, then the points that a trajectory meets, in order, up to ``round(h * w / R)``.

    Trajectories stay within the ellipse of :mod:`bundle.acquisition.trajectories`. Where the acceleration is so low
    that they cannot meet enough points (below 1.3), the rest is added from the centre outwards, so that the corners
    come last.
    """

    def _draw(self, height: int, width: int) -> np.ndarray:
        count = round(height * width / self.acceleration)
        outwards, radii = points_by_radius(height, width)
        center = outwards[: np.searchsorted(radii, self.center_fraction, side="right")]
        self._check_center(count, len(center), f"of {height * width} points")
        met = np.concatenate((center, self._trajectory(height, width, count)))
        points = first_distinct(met, height * width)
        if len(points) < count:
            points = first_distinct(np.concatenate((points, outwards)), height * width)
        mask = np.zeros(height * width, dtype=bool)
        mask[points[:count]] = True
        return mask.reshape(height, width)

    def _center_share(self) -> float:
        return math.pi / 4 * self.center_fraction**2

    @abstractmethod
    def _trajectory(self, height: int, width: int, count: int) -> np.ndarray:
        """Flat indices in the order of acquisition, repetitions allowed, ``count`` distinct ones if it can."""


class RadialMask(TrajectoryMask):
    """2D radial: golden-angle spokes from a random start angle; the last spoke lacks its periphery."""

    def _trajectory(self, height: int, width: int, count: int) -> np.ndarray:
        return radial_points(height, width, count, start_angle=self.R.uniform(0, math.pi))


class SpiralMask(TrajectoryMask):
    """2D spiral: interleaves with a dense core, turned by a random angle; the excess is cut from their outer ends."""

    def _trajectory(self, height: int, width: int, count: int) -> np.ndarray:
        return spiral_points(height, width, count, rotation=self.R.uniform(0, 2 * math.pi))


def _is_number(value: object) -> TypeGuard[float]:
    return isinstance(value, Real) and not isinstance(value, bool) and math.isfinite(value)


def _checked_acceleration(value: float) -> float:
    if not _is_number(value) or value < 1:
        raise BundleError(f"The acceleration must be a number of at least 1 (1 samples everything), but got {value!r}.")
    return float(value)


def _checked_center_fraction(value: float | None, acceleration: float) -> float:
    given = plain(value)
    if given is None:
        return 0.08 if acceleration <= 4 else 0.06 if acceleration < 8 else 0.04
    if not _is_number(given) or not 0 < given < 1:
        raise BundleError(f"center_fraction must lie between 0 and 1, such as 0.08 for 8 %, but got {given!r}.")
    return float(given)
