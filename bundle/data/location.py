"""Where the header of a NIfTI file says that its image lies: sform and qform with their codes, and the unit of length.

nibabel takes the sform where its code is not 0, then the qform, sets codes that the standard does not have to 0, and
takes no notice of the unit. Here a form counts whatever its code is, what both disagree on is told, one takes the place
of the other where that is singular, and metres and micrometres become millimetres. Voxel sizes of 0 stay 0, which
nibabel takes for 1.
"""

from __future__ import annotations

from contextlib import suppress
from itertools import product
from typing import Any, NamedTuple, cast

import numpy as np
from nibabel.fileholders import FileHolderError
from nibabel.nifti1 import Nifti1Header, xform_codes
from nibabel.spatialimages import SpatialImage

__all__ = ["ALIGNED", "SCANNER", "Location", "locate", "located_header", "place_flaw"]

SCANNER = 1  # NIfTI's code for coordinates of the scanner
ALIGNED = 2  # for those of another scan of the subject

_UNITS = {0: ("mm", 1.0), 1: ("metres", 1e3), 2: ("mm", 1.0), 3: ("micrometres", 1e-3)}  # by code; in mm; 0 is unknown
_VOXEL_SIZES = 5e-3, 100.0  # mm; a header outside means another unit than it says
_FARTHEST = 10.0  # metres, of the first voxel from the origin; no scanner is so long
_MIN_DETERMINANT = 1e-4  # of the affine's unit axis vectors: 1 for orthogonal axes, 0 where two of them coincide
_MOST_APART = 1.0  # mm, between what sform and qform say of a corner of the image
_FIELDS = {
    "sform": ("srow_x", "srow_y", "srow_z"),
    "qform": ("quatern_b", "quatern_c", "quatern_d", "qoffset_x", "qoffset_y", "qoffset_z"),
}


class Location(NamedTuple):
    """Where an image lies.

    Attributes:
        affine: ``(4, 4)`` voxel to RAS mm.
        flaw: why that cannot be, as a clause that follows the file's name; empty where it can.
        remark: what else a reader should know of it, as such a clause; empty where there is nothing.
    """

    affine: np.ndarray
    flaw: str = ""
    remark: str = ""


def locate(image: SpatialImage) -> Location:
    """Where an image lies, by all that its header says.

    Args:
        image: as nibabel loads it; no voxel of it is decoded. A header of another format than NIfTI is in mm.
    """
    affine, remarks = np.array(image.affine, dtype=np.float64), []
    if isinstance(image.header, Nifti1Header):
        header = _as_in_file(image)
        form, remark = _choose_form(header, image.shape)
        affine = np.array(form, dtype=np.float64)
        millimetres, unit = _unit(header)
        affine[:3] *= millimetres
        remarks = [remark, unit]
    return Location(affine, place_flaw(affine), "; ".join(filter(None, remarks)))


def located_header(image: SpatialImage) -> Nifti1Header:
    """A copy of the header by which every reader puts the image where :func:`locate` does, in the header's unit.

    A form whose code the standard does not have gets the code for aligned, one that is singular or impossible gets 0.
    """
    header = cast(Any, _as_in_file(image))
    for name, affine in (("sform", _sform(header)), ("qform", _qform(header))):
        code = int(header[f"{name}_code"])
        if code and (affine is None or not _is_regular(affine)):
            for field in (f"{name}_code", *_FIELDS[name]):
                header[field] = 0
        elif code not in xform_codes:
            header[f"{name}_code"] = ALIGNED
    zooms = header["pixdim"][1:4]
    sizes = np.linalg.norm(header.get_best_affine()[:3, :3], axis=0)
    header["pixdim"][1:4] = np.where(np.isfinite(zooms) & (zooms > 0), zooms, sizes)
    return header


def _as_in_file(image: SpatialImage) -> Nifti1Header:
    """The header as nibabel mended it, with the forms' codes and voxel sizes of 0 as they stand in the file."""
    header = cast(Any, image.header).copy()
    with suppress(FileHolderError):  # an image that was made in memory
        with image.file_map["image"].get_prepare_fileobj("rb") as file:
            raw = type(header).from_fileobj(file, check=False)
        for name in ("sform_code", "qform_code"):
            header[name] = raw[name]
        for axis, voxels in enumerate(image.shape[:3], start=1):
            if voxels > 1 and raw["pixdim"][axis] == 0:  # of a single voxel many programs write no size
                header["pixdim"][axis] = 0
    return header


def _choose_form(header: Nifti1Header, shape: tuple[int, ...]) -> tuple[np.ndarray, str]:
    """The affine in the header's unit, and what is odd about it."""
    sform, qform = _sform(header), _qform(header)
    if sform is None and qform is None:
        neither = "has neither sform nor qform, so that its orientation and place are unknown"
        return cast(Any, header).get_base_affine(), neither
    if sform is None or qform is None:
        return cast(np.ndarray, qform if sform is None else sform), ""
    if not _is_regular(sform) and _is_regular(qform):
        return qform, "has a singular sform, so that its qform is taken"
    apart = _corner_distance(sform, qform, shape) * _unit(header)[0]
    if _is_regular(qform) and apart > _MOST_APART:
        codes = " and ".join(f"{name} ({_meaning(header, name)})" for name in ("sform", "qform"))
        return sform, f"has {codes} that disagree by up to {apart:.3g} mm, of which the sform is taken"
    return sform, ""


def _sform(header: Nifti1Header) -> np.ndarray | None:
    """The sform; None where its code is 0."""
    return header.get_sform(coded=True)[0]


def _qform(header: Nifti1Header) -> np.ndarray | None:
    """The qform; None where its code is 0, or its quaternion and voxel sizes are none."""
    try:
        return header.get_qform(coded=True)[0]
    except ValueError:  # nibabel's HeaderDataError is one
        return None


def _meaning(header: Nifti1Header, form: str) -> str:
    """A form's code in words: scanner, aligned, talairach, mni, template."""
    code = int(header[f"{form}_code"])
    return str(xform_codes.label[code]) if code in xform_codes else f"code {code}"


def _unit(header: Nifti1Header) -> tuple[float, str]:
    """How many mm the header's unit of length is, and what is odd about it."""
    code = int(header["xyzt_units"]) & 7
    if code not in _UNITS:
        return 1.0, f"names an unknown unit of length (code {code}), so that mm are taken"
    name, millimetres = _UNITS[code]
    return millimetres, "" if name == "mm" else f"is in {name}, which become mm"


def _corner_distance(first: np.ndarray, second: np.ndarray, shape: tuple[int, ...]) -> float:
    """Greatest distance between where two affines put a corner of the image."""
    last = [size - 1 for size in (*shape[:3], 1, 1, 1)[:3]]
    corners = np.array([(*corner, 1) for corner in product(*((0, end) for end in last))])
    return float(np.linalg.norm((corners @ (first - second).T)[:, :3], axis=1).max())


def place_flaw(affine: np.ndarray) -> str:
    """Why an image cannot lie there, as a clause that follows its file's name; empty where it can."""
    sizes = np.linalg.norm(affine[:3, :3], axis=0)
    measured = " x ".join(f"{size:.3g}" for size in sizes)
    if not _is_regular(affine):
        flat = np.isfinite(sizes).all() and sizes.min() == 0
        why = f"its voxels measure {measured} mm" if flat else "its voxel axes do not span space"
        return f"has a singular affine ({why}); mend the file's header"
    if sizes.min() < _VOXEL_SIZES[0] or sizes.max() > _VOXEL_SIZES[1]:
        return f"says that its voxels measure {measured} mm; mend the voxel sizes or the unit in the file's header"
    away = float(np.linalg.norm(affine[:3, 3])) / 1e3
    if away > _FARTHEST:
        return f"puts its first voxel {away:.4g} m from the origin, beyond {_FARTHEST:g} m; mend the file's header"
    return ""


def _is_regular(affine: np.ndarray) -> bool:
    """Whether the affine is finite and its three axes are independent, whatever the voxel sizes."""
    axes = np.asarray(affine, dtype=np.float64)[:3, :3]
    lengths = np.linalg.norm(axes, axis=0)
    if not (np.isfinite(affine).all() and (lengths > 0).all()):
        return False
    return bool(abs(np.linalg.det(axes / lengths)) > _MIN_DETERMINANT)
