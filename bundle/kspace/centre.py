"""Whether k-space has its zero frequency where every reader of this bundle expects it, and enough lines around it."""

from __future__ import annotations

import logging

from ..errors import BundleError
from .sampling import Sampling

__all__ = ["check_centre"]

_logger = logging.getLogger(__name__)
_NARROW = 7  # lines around the zero frequency: fewer tell the coils' sensitivities badly
_FAR = 0.25  # of the matrix: where the largest sample is no zero frequency


def check_centre(sampling: Sampling, name: str) -> None:
    """Refuse k-space whose zero frequency lies elsewhere than in the middle, or was not acquired.

    Images and the coils' sensitivities come from there; where few lines around it were acquired, that is logged.

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
    around = [2 * min(at - part.start, part.stop - 1 - at) + 1 for at, part in zip(middle, sampling.block)]
    if min(around) < _NARROW and not sampling.is_full:
        _logger.warning(
            "%s: only %d rows x %d columns around the zero frequency are fully sampled: the coils' sensitivities and "
            "the phase, which are taken from these, may be wrong, and the image with them.",
            name,
            *around,
        )
