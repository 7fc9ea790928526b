"""Whether all slices of a k-space were sampled alike, so that one mask, one centre, one acceleration hold for each."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from ..errors import BundleError

__all__ = ["check_slices"]

_BY_CHANCE = 0.1  # of the acquired points: what may be zero in one slice alone, as where numbers were rounded


def check_slices(kspace: np.ndarray, path: Path) -> None:
    """Refuse slices that acquired different lines or points; a slice of zeros is passed over.

    Args:
        kspace: ``(slices, coils, h, w)``, 0 where not acquired.
        path: the file.

    Raises:
        BundleError: they differ.
    """
    slices = [acquired for image in kspace if (acquired := (image != 0).any(axis=0)).any()]
    together = np.any(slices, axis=0)
    for acquired in slices:
        other = [np.flatnonzero(acquired.any(axis=axis) != together.any(axis=axis)) for axis in (1, 0)]
        nyquist = [(0, size // 2) for size in together.shape]  # exactly zero in a symmetric image; in either order
        alike = all(np.isin(lines, of).all() for lines, of in zip(other, nyquist))
        if not alike or acquired.sum() < (1 - _BY_CHANCE) * together.sum():
            raise BundleError(
                f"The slices of {path} acquired different lines: one has {acquired.sum()} of the {together.sum()} "
                "points that all have together; write slices of equal sampling to a file of their own."
            )
