"""Whether k-space has its zero frequency where every reader of this bundle expects it."""

from __future__ import annotations

from ..errors import BundleError
from .sampling import Sampling

__all__ = ["check_centre"]

_FAR = 0.25  # of the matrix: where the largest sample is no zero frequency


def check_centre(sampling: Sampling, name: str) -> None:
    """Refuse k-space whose zero frequency lies elsewhere than in the middle, or was not acquired.

    Images and the coils' sensitivities come from there.

    Args:
        sampling: what was acquired.
        name: of the file.

    Raises:
        BundleError: the largest sample lies more than a quarter of the matrix away, or the middle holds none.
    """
    middle = tuple(size // 2 for size in sampling.acquired.shape)
    away = [abs(at - here) / size for at, here, size in zip(sampling.peak, middle, sampling.acquired.shape)]
    expected = f"the zero frequency is expected in the middle, at row {middle[0]}, column {middle[1]}"
    if max(away) > _FAR:
        row, column = sampling.peak
        raise BundleError(
            f"{name}: {expected}, but the largest sample lies at row {row}, column {column}. Is k-space in the order "
            "of numpy's fft2? Shift it by numpy.fft.fftshift along rows and columns."
        )
    if not sampling.acquired[middle]:
        raise BundleError(f"{name}: {expected}, where nothing was acquired; no image can be made of such a scan.")
