"""Where a comparison looks, chosen from the reference alone, so that no method can be favoured by the choice."""

from __future__ import annotations

import numpy as np
from scipy import ndimage

from ..data.slices import middle_of_the_head
from ..evaluation.figures import HEAD_FRACTION, WINDOW_PERCENTILE, window_end

__all__ = ["detail_box", "middle_slice"]

ZOOM_FRACTION = 0.3  # side of the magnified square, of the head's smaller extent
RIM_FRACTION = 0.25  # of the head's greatest depth: scalp and skull, whose edges are the sharpest and of no interest


def middle_slice(reference: np.ndarray) -> int:
    """Index of a slice in the middle of the head; ``reference`` is ``(h, w, slices)``."""
    return middle_of_the_head((reference > HEAD_FRACTION * window_end(reference, 99)).mean(axis=(0, 1)))


def detail_box(reference: np.ndarray, spacing: tuple[float, float] = (1.0, 1.0)) -> tuple[slice, slice]:
    """Rows and columns of the square (in mm) inside the head whose grey values change most.

    Changes count where they are deep enough in the head not to be the scalp's or the skull's.

    Args:
        reference: ``(h, w)``, cut to the head.
        spacing: distance of rows and of columns, in mm.
    """
    reference = np.nan_to_num(np.asarray(reference, dtype=np.float64))
    white = window_end(reference, WINDOW_PERCENTILE)
    extent = [size * mm for size, mm in zip(reference.shape, spacing)]
    sides = [max(1, round(ZOOM_FRACTION * min(extent) / mm)) for mm in spacing]
    head = ndimage.binary_fill_holes(ndimage.binary_closing(reference > HEAD_FRACTION * white, iterations=2))
    depth = ndimage.distance_transform_edt(np.pad(head, 1), sampling=spacing)[1:-1, 1:-1]
    smooth = ndimage.gaussian_filter(np.clip(reference, 0, white), 0.7)  # noise is not detail
    change = np.hypot(*(ndimage.sobel(smooth, axis) / mm for axis, mm in enumerate(spacing)))
    change[depth <= RIM_FRACTION * depth.max()] = 0
    detail = ndimage.uniform_filter(change, sides, mode="constant")
    middle = np.array(reference.shape) // 2
    centre = np.unravel_index(np.argmax(detail), detail.shape) if change.any() else middle
    firsts = [int(np.clip(at - side // 2, 0, size - side)) for at, side, size in zip(centre, sides, reference.shape)]
    return tuple(slice(first, first + side) for first, side in zip(firsts, sides))
