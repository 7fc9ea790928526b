"""Whether a file can be read as a volume, by its name and header alone."""

from __future__ import annotations

import os
from pathlib import Path

import nibabel as nib
import numpy as np
from nibabel.spatialimages import SpatialImage

__all__ = ["header_flaw"]

_SUFFIXES = (".nii", ".nii.gz")
_MIN_DETERMINANT = 1e-4  # of the affine's unit axis vectors: 1 for orthogonal axes, 0 where two of them coincide


def header_flaw(path: Path, min_slices: int = 2) -> str:
    """Why a file cannot be read as a volume, as a clause that follows its name; empty where it can.

    Args:
        path: a file; no voxel of it is decoded.
        min_slices: fewest voxels that every axis must have; 1 also lets single slices and 2D images pass.
    """
    if flaw := _file_flaw(path):
        return flaw
    try:
        image = nib.load(path)
    except Exception:  # nibabel, gzip and zlib each have their own kinds for one and the same mistake
        image = None
    if not isinstance(image, SpatialImage):
        return "cannot be read as NIfTI: it is truncated, damaged or of another format"
    return _image_flaw(image, min_slices)


def _file_flaw(path: Path) -> str:
    if path.is_dir():
        return "is a folder; expected a NIfTI file (.nii or .nii.gz)"
    if not path.exists():
        return "does not exist; expected a NIfTI file (.nii or .nii.gz)"
    if not path.name.lower().endswith(_SUFFIXES):
        return "has an unknown suffix; expected a NIfTI file (.nii or .nii.gz)"
    if not os.access(path, os.R_OK):
        return "may not be read by this user; change its permissions"
    return ""


def _image_flaw(image: SpatialImage, min_slices: int) -> str:
    kind, shape = image.get_data_dtype().kind, image.shape
    if kind not in "iuf":
        name = "complex" if kind == "c" else "colour"
        return f"holds {name} voxels; expected one real number a voxel (a magnitude image)"
    volumes = int(np.prod(shape[3:]))
    if volumes != 1:
        return f"holds {volumes} volumes (shape {shape}); expected one, so extract it first"
    if min((*shape[:3], 1, 1, 1)[:3]) < min_slices:
        return f"is no volume: its shape is {shape}, but every axis needs at least {min_slices} voxels"
    if not _is_regular(image.affine):
        return "has a singular affine (its voxel axes do not span space); mend the file's header"
    return ""


def _is_regular(affine: np.ndarray) -> bool:
    """Whether the affine is finite and its three axes are independent, whatever the voxel sizes."""
    axes = np.asarray(affine, dtype=np.float64)[:3, :3]
    lengths = np.linalg.norm(axes, axis=0)
    if not (np.isfinite(affine).all() and (lengths > 0).all()):
        return False
    return bool(abs(np.linalg.det(axes / lengths)) > _MIN_DETERMINANT)
