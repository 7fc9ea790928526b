"""One DICOM series to a volume: what is amiss with it, where its slices lie, and their voxels.

The voxel axes are those of the stored images: ``x`` along a row, ``y`` down a column, ``z`` along the normal of the
slices, as ITK has them.
"""

from __future__ import annotations

import logging
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from monai.data import MetaTensor

from ..counted import counted
from ..errors import BundleError
from .dicom_folders import Series, needed_pydicom
from .location import place_flaw

__all__ = ["by_place", "read_series", "scaling", "series_affine", "series_flaw"]

_logger = logging.getLogger(__name__)
_PLACE = {"ImageOrientationPatient": 6, "ImagePositionPatient": 3, "PixelSpacing": 2}  # numbers of each
_SAME = 1e-3  # direction cosines and mm: what scanners round
_UNEVEN = 0.05  # of the distance of two slices: how far one may lie from where even ones would
_SLANT = 0.01  # sideways from slice to slice, over their distance
_LPS_TO_RAS = np.diag([-1.0, -1.0, 1.0])


def series_flaw(series: Series, min_slices: int = 2) -> str:
    """Why a series cannot be read as a volume, as a clause that follows its name; empty where it can.

    Args:
        series: of its voxels none is looked at.
        min_slices: fewest slices, rows and columns.
    """
    for header in series.headers:
        if flaw := _image_flaw(header):
            return f"{flaw.format(file=_file(header))}"
    for what, told in _ALIKE.items():
        if flaw := _difference(series, what, told):
            return flaw
    first = series.headers[0]
    shape = int(first.Columns), int(first.Rows), len(series.headers)
    if min(shape) < min_slices:
        return f"is no volume: its shape is {shape}, but every axis needs at least {min_slices} voxels"
    return _spacing_flaw(by_place(series)) or place_flaw(series_affine(series))


def by_place(series: Series) -> list[Any]:
    """The headers of a series in the order in which its slices lie, along their normal."""
    normal = _normal(series.headers[0])
    return sorted(series.headers, key=lambda header: float(_numbers(header, "ImagePositionPatient") @ normal))


def series_affine(series: Series) -> np.ndarray:
    """4x4, voxel ``(x, y, z)`` to RAS mm."""
    headers = by_place(series)
    positions = _positions(headers)
    row, column = np.split(_numbers(headers[0], "ImageOrientationPatient"), 2)
    between_rows, between_columns = _numbers(headers[0], "PixelSpacing")
    single = _normal(headers[0]) * float(headers[0].get("SliceThickness") or 1)
    step = (positions[-1] - positions[0]) / (len(headers) - 1) if len(headers) > 1 else single
    affine = np.eye(4)
    axes = np.column_stack([row * between_columns, column * between_rows, step, positions[0]])
    affine[:3] = _LPS_TO_RAS @ axes
    return affine


def read_series(series: Series, min_slices: int = 2) -> MetaTensor:
    """The volume of a series, ``(1, x, y, z)`` float32, each slice by its own slope and intercept; affine in RAS mm.

    Raises:
        BundleError: what :func:`series_flaw` finds, or voxels that are cut short or cannot be decoded.
    """
    if flaw := series_flaw(series, min_slices):
        raise BundleError(f"{series} {flaw}.")
    slices = [_slice(Path(header.filename)) for header in by_place(series)]
    try:
        voxels, padding = (np.stack(part, axis=-1) for part in zip(*slices))
    except ValueError as error:
        raise BundleError(f"{series} holds files that were changed while they were read; run again.") from error
    padding &= voxels != 0
    if padding.any():
        told = counted(int(padding.sum()), "voxel")
        _logger.info("%s: %s of padding (PixelPaddingValue), outside the image, set to 0", series, told)
        voxels[padding] = 0
    affine = torch.from_numpy(series_affine(series))
    return MetaTensor(torch.from_numpy(voxels)[None], affine=affine, meta={"filename_or_obj": str(series.folder)})


def scaling(header: Any) -> tuple[float, float]:
    """Slope and intercept from what a slice stores to its intensities."""
    slope, intercept = header.get("RescaleSlope"), header.get("RescaleIntercept")
    return (1.0 if slope is None else float(slope)), (0.0 if intercept is None else float(intercept))


def _slice(path: Path) -> tuple[np.ndarray, np.ndarray]:
    """The intensities of an image, ``(x, y)`` float32, and which are padding."""
    compressed = ""
    try:
        with warnings.catch_warnings(action="ignore"):
            image = needed_pydicom().dcmread(path)
            syntax = image.file_meta.TransferSyntaxUID
            compressed = syntax.name if syntax.is_compressed else ""
            slope, intercept = scaling(image)
            stored = image.pixel_array.T
            return (stored * slope + intercept).astype(np.float32), _padding(image, stored)
    except MemoryError as error:
        raise BundleError(f"{path} does not fit into this machine's memory.") from error
    except Exception as error:  # pydicom and its decoders have many kinds
        hint = f", or {compressed} is compression that pydicom needs a plugin for" if compressed else ""
        raise BundleError(
            f"{path} cannot be read: its voxels are cut short or damaged{hint}; copy or decompress it anew, or convert "
            "the series to NIfTI with dcm2niix."
        ) from error


def _padding(image: Any, stored: np.ndarray) -> np.ndarray:
    """Which stored values are what the header calls padding, one value or all between two."""
    given = [image.get(keyword) for keyword in ("PixelPaddingValue", "PixelPaddingRangeLimit")]
    if given[0] is None:
        return np.zeros(stored.shape, dtype=bool)
    low, *_, high = sorted(int(given[0] if value is None else value) for value in given)
    return (stored >= low) & (stored <= high)


def _image_flaw(header: Any) -> str:
    """What no image of a series may be, as a clause with a place for its file."""
    frames = int(header.get("NumberOfFrames") or 1)
    if frames > 1 or "MOSAIC" in (header.get("ImageType") or ()):
        what = f"the multi-frame file {{file}} ({frames} frames)" if frames > 1 else "the mosaic {file}"
        return f"holds {what}; convert it to NIfTI, as dcm2niix does, or to one file a slice"
    kind = str(header.get("PhotometricInterpretation"))
    if kind != "MONOCHROME2" or int(header.get("SamplesPerPixel") or 1) != 1:
        return f"holds {{file}} in colour or inverted ({kind}); expected grey values (MONOCHROME2)"
    for keyword, count in _PLACE.items():
        if len(_numbers(header, keyword)) != count:
            return f"does not tell where {{file}} lies: its {keyword} is missing or no {count} numbers"
    return ""


def _difference(series: Series, what: str, told: Callable[[Any], np.ndarray]) -> str:
    first, *others = series.headers
    for other in others:
        if np.abs(told(first) - told(other)).max() > _SAME:
            values = (f"{_file(one)} has {' '.join(f'{value:.6g}' for value in told(one))}" for one in (first, other))
            return f"has slices of different {what}: {', '.join(values)}; give those of one kind a folder of their own"
    return ""


def _spacing_flaw(headers: list[Any]) -> str:
    """Whether slices share a place, are missing, or lie slanted."""
    if len(headers) < 2:
        return ""
    positions, normal = _positions(headers), _normal(headers[0])
    gaps = np.diff(positions @ normal)
    if gaps.min() < _SAME:
        return (
            f"holds {len(headers)} images in {1 + int((gaps >= _SAME).sum())} places, as of several times or of "
            "magnitude and phase; give one image of each place a folder of their own"
        )
    step, usual = (positions[-1] - positions[0]) / (len(headers) - 1), float(np.median(gaps))
    even = positions[0] + np.arange(len(headers))[:, None] * step
    if np.linalg.norm(positions - even, axis=1).max() > _UNEVEN * usual:
        odd = int(np.argmax(np.abs(gaps - usual)))
        return (
            f"is not evenly spaced: from {_file(headers[odd])} to {_file(headers[odd + 1])} it is {gaps[odd]:.4g} mm, "
            f"elsewhere {usual:.4g} mm; a slice is missing, or lies apart"
        )
    if np.linalg.norm(step - (step @ normal) * normal) > _SLANT * (step @ normal):
        return "has slices that are shifted sideways from one to the next; convert it to NIfTI, as dcm2niix does"
    return ""


def _numbers(header: Any, keyword: str) -> np.ndarray:
    """Those of an attribute; none where they are missing or no numbers."""
    try:
        values = np.array(header.get(keyword) or (), dtype=np.float64)
    except (TypeError, ValueError):
        return np.array(())
    return values if np.isfinite(values).all() else np.array(())


def _positions(headers: list[Any]) -> np.ndarray:
    """``(slices, 3)``, of each slice's first voxel, LPS mm."""
    return np.stack([_numbers(header, "ImagePositionPatient") for header in headers])


def _normal(header: Any) -> np.ndarray:
    row, column = np.split(_numbers(header, "ImageOrientationPatient"), 2)
    return np.cross(row, column)


def _file(header: Any) -> str:
    return Path(header.filename).name


_ALIKE: dict[str, Callable[[Any], np.ndarray]] = {
    "size": lambda header: np.array([header.Columns, header.Rows], dtype=float),
    "orientation": lambda header: _numbers(header, "ImageOrientationPatient"),
    "pixel spacing": lambda header: _numbers(header, "PixelSpacing"),
}
