"""Tiny NIfTI files, each of its own content, for what is told by names, headers and content."""

from __future__ import annotations

import os
import zlib
from pathlib import Path

import nibabel as nib
import numpy as np


def volume(folder: Path, *names: str, shape: tuple[int, ...] = (3, 3, 3), dtype: type = np.int16) -> None:
    """Write a file under each name, with voxels that follow from the name."""
    for name in names:
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        voxels = np.random.default_rng(zlib.crc32(os.fsencode(name))).integers(0, 1000, shape)
        nib.save(nib.Nifti1Image(voxels.astype(dtype), np.eye(4)), path)
