"""The matrix that a volume is scanned on: as asked for, or as far as the image's own k-space is filled.

Scanners often show more voxels than they acquired (:mod:`bundle.data.interpolation`). Samples that a mask takes from
the empty border were never measured, and a reconstruction of them looks better than one of a scan.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from monai.data import MetaTensor

from ..settings import plain
from .interpolation import Border, empty_border
from .slices import DIVISOR, Geometry, matrix_for

__all__ = ["check_image_size", "geometry_of", "tell_of_border"]

_ACQUIRED = "acquired"  # as image_size
_FULL = 15 / 16  # of the matrix's lines; what is left is the roll-off of a filter
_logger = logging.getLogger(__name__)


def check_image_size(image_size: int | Sequence[int] | str | None) -> None:
    """BundleError for what is neither a matrix nor ``acquired``."""
    wanted: Any = plain(image_size)
    if wanted != _ACQUIRED:
        matrix_for((DIVISOR, DIVISOR), wanted)


def geometry_of(volume: MetaTensor, image_size: int | Sequence[int] | str | None) -> Geometry:
    """Geometry of a magnitude volume ``(1, x, y, z)``; ``image_size`` as in :class:`~bundle.data.VolumeToSlicesd`."""
    wanted: Any = plain(image_size)
    crops = wanted == _ACQUIRED
    geometry = Geometry.of(np.asarray(volume.affine), volume.shape[1:], None if crops else wanted)
    if not crops:
        return geometry
    height, width = (
        max(DIVISOR, border.filled // DIVISOR * DIVISOR) if border.is_empty else size
        for border, size in zip(_borders(volume, geometry), geometry.matrix)
    )
    return replace(geometry, matrix=(height, width))


def tell_of_border(volume: MetaTensor, geometry: Geometry) -> None:
    """Log a line where the volume's k-space has an empty border: a warning where the scan's matrix has some of it."""
    borders = _borders(volume, geometry)
    if not any(border.is_empty for border in borders):
        return
    rows, columns = (f"{border.filled} of {border.size}" for border in borders)
    found = (
        f"{volume.meta.get('filename_or_obj', 'T2')} is zero-filled, interpolated or filtered: its k-space is filled "
        f"in about {rows} rows and {columns} columns"
    )
    height, width = geometry.matrix
    shares = [border.filled / min(border.size, size) for border, size in zip(borders, geometry.matrix)]
    if min(shares) < _FULL:
        _logger.warning(
            "%s; samples that the scan of %d x %d takes beyond them were never measured, and figures of quality are "
            "too good: image_size %s crops them",
            *(found, height, width, _ACQUIRED),
        )
    else:
        _logger.info("%s, and cropped to %d x %d for the scan", found, height, width)


def _borders(volume: MetaTensor, geometry: Geometry) -> tuple[Border, Border]:
    return empty_border(np.moveaxis(np.asarray(volume[0]), geometry.slice_axis, 0))
