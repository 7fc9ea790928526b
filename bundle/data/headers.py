"""Whether a file can be read as a volume, by its name and header alone."""

from __future__ import annotations

import gzip
import os
import stat
import zlib
from contextlib import suppress
from pathlib import Path
from typing import Any

import nibabel as nib
import numpy as np
from nibabel.spatialimages import SpatialImage

from .dicom_folders import is_dicom
from .location import locate

__all__ = ["header_flaw"]

_SUFFIXES = (".nii", ".nii.gz")
_FIRST_BYTE = 352  # where voxels can begin, behind the header
_GZIP = b"\x1f\x8b"
_STARTS = {size.to_bytes(4, order) for size in (348, 540) for order in ("little", "big")}  # of NIfTI-1 and 2, unpacked
_LABELS, _STATISTICS = (1002, 1003), range(2, 25)  # NIfTI's intent codes that no image of the body has


def header_flaw(path: Path, min_slices: int = 2) -> str:
    """Why a file cannot be read as a volume, as a clause that follows its name; empty where it can.

    Args:
        path: a file; of its voxels only the number is looked at.
        min_slices: fewest voxels that every axis must have; 1 also lets single slices and 2D images pass.
    """
    if flaw := _file_flaw(path):
        return flaw
    try:
        image = nib.load(path)
    except Exception:  # nibabel, gzip and zlib each have their own kinds for one and the same mistake
        image = None
    if not isinstance(image, SpatialImage):
        return _wrong_name(path) or "cannot be read as NIfTI: it is truncated, damaged or of another format"
    return _image_flaw(image, min_slices) or _length_flaw(path, image.dataobj)


def _file_flaw(path: Path) -> str:
    expected = "expected a NIfTI file (.nii or .nii.gz)"
    try:
        mode = path.stat().st_mode
    except PermissionError:
        return "lies in a folder that this user may not enter; change the folder's permissions"
    except (OSError, ValueError):  # missing, or no name that a file could have
        return f"does not exist; {expected}"
    if stat.S_ISDIR(mode):
        return f"is a folder; {expected}"
    if not path.name.lower().endswith(_SUFFIXES):
        alone = stat.S_ISREG(mode) and os.access(path, os.R_OK) and is_dicom(path)
        return "is one DICOM file; give the folder of its series" if alone else f"has an unknown suffix; {expected}"
    if not stat.S_ISREG(mode):
        return f"is a pipe or a device; {expected}"
    if not os.access(path, os.R_OK):
        return "may not be read by this user; change its permissions"
    return ""


def _wrong_name(path: Path) -> str:
    """Whether only the name of a file is wrong: packed by gzip and not called so, or the other way round."""
    with suppress(OSError, EOFError, zlib.error):
        with path.open("rb") as file:
            packed = file.read(2) == _GZIP
        with gzip.open(path) if packed else path.open("rb") as file:
            is_nifti = file.read(4) in _STARTS
        if is_nifti and packed != (path.suffix.lower() == ".gz"):
            state, suffix = ("packed by gzip", ".nii.gz") if packed else ("not packed by gzip", ".nii")
            return f"is {state} and only misnamed; rename it to end in {suffix}"
    return ""


def _image_flaw(image: SpatialImage, min_slices: int) -> str:
    kind, shape = image.get_data_dtype().kind, image.shape
    if kind not in "iuf":
        name = "complex" if kind == "c" else "colour"
        return f"holds {name} voxels; expected one real number a voxel (a magnitude image)"
    volumes = int(np.prod(shape[3:]))
    if volumes != 1:
        return f"holds {volumes} volumes (shape {shape}); expected one, so extract it first"
    if len(shape) < 2 or min((*shape[:3], 1)[:3]) < min_slices:
        return f"is no volume: its shape is {shape}, but every axis needs at least {min_slices} voxels"
    intent = int(image.header.get("intent_code", 0)) if hasattr(image.header, "get") else 0
    if intent in _LABELS or intent in _STATISTICS:
        map_of = "label" if intent in _LABELS else "statistical"
        return f"is a {map_of} map by its header's intent code {intent}; name the image itself"
    return locate(image).flaw


def _length_flaw(path: Path, voxels: Any) -> str:
    """Whether a file is not as long as its header asks for; a .gz by the length that stands at its end."""
    if voxels.offset < _FIRST_BYTE:
        return f"cannot be read as NIfTI: by its header the voxels begin at byte {voxels.offset}, within that header"
    size = int(np.prod(voxels.shape, dtype=object)) * voxels.dtype.itemsize
    needed = voxels.offset + size
    try:
        length = _packed_length(path, needed) if path.suffix.lower() == ".gz" else path.stat().st_size
    except Exception:  # gzip and zlib each have their own kinds
        return "cannot be read as NIfTI: it is truncated or damaged"
    if length < needed:
        return f"cannot be read as NIfTI: it is cut short, at {length} of the {needed} bytes that its header asks for"
    if length - needed >= size // max(voxels.shape):  # a slice more: the dimensions or the data type are not the file's
        return f"does not fit its header, which asks for {needed} bytes of {length}; mend its dimensions or data type"
    return ""


def _packed_length(path: Path, needed: int) -> int:
    """What is in a .gz: what is needed, where its end says so (modulo 4 GB), or counted."""
    with path.open("rb") as file:
        file.seek(-4, os.SEEK_END)
        if int.from_bytes(file.read(), "little") == needed % 2**32:
            return needed
    with gzip.open(path) as file:  # of several members, followed by other bytes, or cut short
        return sum(map(len, iter(lambda: file.read(1 << 20), b"")))
