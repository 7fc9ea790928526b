"""The scan of several coils as an operator: image to the acquired k-space of each coil, and its adjoint."""

from __future__ import annotations

from torch import Tensor

from ..fourier import fft2c, ifft2c

__all__ = ["CoilOperator"]

_ROUNDING = 1e-11  # of the first residual's power: what is left then is of single precision


class CoilOperator:
    """``A x = M F S_c x`` for each coil ``c``.

    Args:
        maps: sensitivities, complex, ``(b, coils, h, w)``, whose squares sum to 1 at each voxel; then no eigenvalue of
            ``A^H A`` is above 1.
        sampled: bool, ``(b, 1, h, w)``.
    """

    def __init__(self, maps: Tensor, sampled: Tensor) -> None:
        self.maps = maps
        self.sampled = sampled

    def forward(self, image: Tensor) -> Tensor:
        """Complex image ``(b, h, w)`` to k-space ``(b, coils, h, w)``."""
        return fft2c(self.maps * image[:, None]) * self.sampled

    def adjoint(self, kspace: Tensor) -> Tensor:
        """K-space ``(b, coils, h, w)`` to the complex image ``(b, h, w)``."""
        return (self.maps.conj() * ifft2c(kspace * self.sampled)).sum(dim=1)

    def normal(self, image: Tensor) -> Tensor:
        """``A^H A x``, ``(b, h, w)`` to the same."""
        return self.adjoint(self.forward(image))

    def draw_towards(self, image: Tensor, zero_filled: Tensor, weight: Tensor, iterations: int) -> Tensor:
        """The image that minimises ``w |A x - y|^2 + (1 - w) |x - image|^2``, by conjugate gradients from ``image`` on.

        With one coil this is soft data consistency, ``k - w (k - y)`` at the sampled points; ``A^H A`` then has the
        eigenvalues 0 and 1, and two iterations reach it.

        Args:
            image: complex, ``(b, h, w)``.
            zero_filled: ``A^H y``, ``(b, h, w)``.
            weight: ``w``, from 0 to 1, ``(b, 1, 1)`` or a number for all.
            iterations: of conjugate gradients.
        """
        residual = weight * (zero_filled - self.normal(image))
        direction, power = residual, _power(residual)
        least = _ROUNDING * power
        for _ in range(iterations):
            turned = weight * self.normal(direction) + (1 - weight) * direction
            step = power / _power(direction, turned).clamp(min=1e-30) * (power > least)
            image = image + step * direction
            residual = residual - step * turned
            previous, power = power, _power(residual)
            direction = residual + power / previous.clamp(min=1e-30) * direction
        return image


def _power(first: Tensor, second: Tensor | None = None) -> Tensor:
    """The real part of the inner product of each image of the batch, ``(b, 1, 1)``."""
    second = first if second is None else second
    return (first.conj() * second).real.sum(dim=(-2, -1), keepdim=True)
