"""fastMRI's HDF5 files: knee (single- and multi-coil), brain and prostate; M4Raw has the same schema.

``kspace`` is ``(slices, h, w)``, ``(slices, coils, h, w)`` or, in the prostate, ``(averages, slices, coils, h, w)``;
``reconstruction_esc`` or ``_rss`` is what the scanner shows, ``ismrmrd_header`` the header, ``mask`` (test files) the
columns that were kept. Zero padding and mask are looked for in the data; header and ``mask`` are compared with them.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from ..errors import BundleError
from .equal_slices import check_slices
from .hdf5 import array_of, open_hdf5, text_of
from .header import Header, cut_to_rows, read_header
from .scan import RawScan, make_scan

__all__ = ["NUMBERED", "is_fastmri", "mean_of", "read_fastmri"]

_RECONSTRUCTIONS = ("reconstruction_rss", "reconstruction_esc")
_UNITS = ("max", "norm")
NUMBERED = re.compile(r"(.*_(?:T1|T2|FLAIR))(\d\d)$", re.IGNORECASE)  # M4Raw's names: scan, repetition


def is_fastmri(file: Any) -> bool:
    """Whether an open HDF5 file has this schema."""
    return "kspace" in file


def read_fastmri(path: Path) -> RawScan:
    """Read a file.

    Raises:
        BundleError: its k-space is no complex array of 3 to 5 axes, or not what :func:`make_scan` takes.
    """
    with open_hdf5(path) as file:
        kspace = array_of(file, "kspace")
        mask = array_of(file, "mask")
        header = read_header(text, path) if (text := _header_text(file)) else Header()
        reference = next((found for name in _RECONSTRUCTIONS if (found := array_of(file, name)) is not None), None)
        attributes = {name: file.attrs[name] for name in file.attrs}
    kspace, remarks = _four_axes(kspace, path)
    header, cut = cut_to_rows(header, kspace.shape[2], path)
    kspace = _widened(kspace, header)
    reference, odd = _images(reference, len(kspace))
    remarks += cut + odd
    if mask is not None:
        remarks += _compared(mask, kspace)
    remarks += [] if header.encoded else ["it has no ISMRMRD header"]
    return make_scan(
        path,
        "M4Raw" if NUMBERED.match(path.stem) and "norm" not in attributes else "fastMRI",
        kspace,
        header,
        name=path.stem,
        crop=None if reference is None else reference.shape[-2:],
        nominal=_number(attributes.get("acceleration")),
        contrast=text_of(attributes["acquisition"]) if "acquisition" in attributes else "unknown",
        scaling={name: value for name in _UNITS if (value := _number(attributes.get(name))) is not None},
        reference=reference,
        remarks=remarks,
    )


def _header_text(file: Any) -> str:
    return text_of(file["ismrmrd_header"][()]) if "ismrmrd_header" in file else ""


def _number(value: Any) -> float | None:
    """A finite one; None where there is none."""
    try:
        number = float(np.asarray(value).ravel()[0])
    except (TypeError, ValueError, IndexError):
        return None
    return number if np.isfinite(number) else None


def _images(reference: np.ndarray | None, slices: int) -> tuple[np.ndarray | None, list[str]]:
    """The file's own reconstruction where it is one image a slice."""
    if reference is None:
        return None, []
    if reference.dtype.kind in "fiu" and reference.ndim == 3 and reference.size > 0 and len(reference) == slices:
        return reference, []
    return None, [f"its reconstruction, of shape {reference.shape}, is not one image for each slice and is left out"]


def _four_axes(kspace: np.ndarray | None, path: Path) -> tuple[np.ndarray, list[str]]:
    """``(slices, coils, h, w)``, and what was done for it."""
    if kspace is None or not np.iscomplexobj(kspace) or kspace.ndim not in (3, 4, 5) or 0 in kspace.shape:
        got = "none" if kspace is None else f"{kspace.dtype} of shape {kspace.shape}"
        raise BundleError(
            f"The data set kspace of {path} is complex, (slices, h, w), (slices, coils, h, w) or (averages, slices, "
            f"coils, h, w), in files of fastMRI and M4Raw; what came is {got}."
        )
    if kspace.ndim == 3:
        return kspace[:, None], []
    if kspace.ndim == 4:
        return kspace, []
    for average in kspace:
        check_slices(average, path)
    return mean_of(list(kspace)), [f"{len(kspace)} averages; each point is the mean of those that acquired it"]


def mean_of(averages: Sequence[np.ndarray]) -> np.ndarray:
    """Each point the mean of those averages that acquired it: in the prostate every other line, in turn."""
    counts = sum((average != 0).any(axis=(0, 1)).astype(np.float32) for average in averages)
    return sum(averages) / np.maximum(counts, 1)


def _widened(kspace: np.ndarray, header: Header) -> np.ndarray:
    """Zero-padded along the phase encoding to the header's encoded matrix, about the middle."""
    width = kspace.shape[-1]
    target = header.encoded[1] if header.encoded else width
    if target <= width:
        return kspace
    before = target // 2 - width // 2
    return np.pad(kspace, ((0, 0), (0, 0), (0, 0), (before, target - width - before)))


def _compared(mask: np.ndarray, kspace: np.ndarray) -> list[str]:
    """What the file's mask says that its data do not."""
    named = np.asarray(mask).ravel() > 0
    acquired = (kspace != 0).any(axis=(0, 1, 2))
    if named.size != acquired.size:
        return [f"its mask has {named.size} columns, its k-space {acquired.size}; the data are taken"]
    if (more := int((acquired & ~named).sum())) > 0:
        return [f"its mask leaves out {more} columns that hold data; the data are taken"]
    if (fewer := int((named & ~acquired).sum())) > 0:
        return [f"its mask names {fewer} columns that hold no data, as zero padding does; they count as not acquired"]
    return ["its mask agrees with the data"]
