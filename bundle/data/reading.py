"""Read one NIfTI volume, or say in one sentence why it cannot be used.

MONAI's reader does the decoding; around it stand the checks that a user's file deserves, before a training or an
inference has begun. The affine is the one that nibabel reports (sform, then qform), in RAS millimetres.
"""

from __future__ import annotations

import os
from collections.abc import Hashable, Mapping
from pathlib import Path
from typing import Any

import nibabel as nib
import numpy as np
import torch
from monai.config import KeysCollection
from monai.data import MetaTensor, NibabelReader
from monai.transforms import LoadImage, MapTransform

from ..errors import BundleError

__all__ = ["ReadVolumed", "read_volume"]

_SUFFIXES = (".nii", ".nii.gz")
_MIN_DETERMINANT = 1e-4  # of the affine's unit axis vectors: 1 for orthogonal axes, 0 where two of them coincide


class ReadVolumed(MapTransform):
    """Replace each key's file path by its volume: float32 ``MetaTensor`` ``(1, x, y, z)``, see :func:`read_volume`.

    Args:
        keys: entries that hold a NIfTI file path (``str`` or ``Path``).
        min_slices: fewest voxels that every axis must have; 1 also lets single slices and 2D images pass.
        allow_missing_keys: let items pass that lack a key.
    """

    def __init__(
        self, keys: KeysCollection = ("t1", "t2"), min_slices: int = 2, allow_missing_keys: bool = False
    ) -> None:
        super().__init__(keys, allow_missing_keys)
        self.min_slices = min_slices

    def __call__(self, data: Mapping[Hashable, Any]) -> dict[Hashable, Any]:
        """A copy of ``data`` with volumes in place of paths."""
        items = dict(data)
        for key in self.key_iterator(items):
            items[key] = read_volume(items[key], self.min_slices)
        return items


def read_volume(path: str | os.PathLike[str], min_slices: int = 2) -> MetaTensor:
    """Read a three-dimensional NIfTI volume.

    Args:
        path: a ``.nii`` or ``.nii.gz`` file; a fourth dimension of one volume is dropped.
        min_slices: fewest voxels that every axis must have.

    Returns:
        float32, ``(1, x, y, z)``, in the file's scaled intensities; the affine is the file's, in RAS mm.

    Raises:
        BundleError: the file is missing, damaged, of another kind, or holds no usable volume.
    """
    path = _existing_file(path)
    try:
        image = nib.load(path)
        _check_header(image, path, min_slices)
        volume = LoadImage(ensure_channel_first=True)(path, reader=NibabelReader(squeeze_non_spatial_dims=True))
    except (BundleError, MemoryError):
        raise
    except Exception as error:  # nibabel, gzip and zlib each have their own kinds for one and the same mistake
        raise BundleError(f"{path} cannot be read as NIfTI: it is truncated, damaged or of another format.") from error
    volume = volume.reshape(1, *volume.shape[1:], *(1,) * (4 - volume.ndim))
    # The reader alters an affine that disagrees with pixdim; the sform that other tools would use is kept instead.
    volume.affine = torch.from_numpy(np.array(image.affine, dtype=np.float64))
    _check_voxels(volume, path)
    return volume


def _existing_file(path: str | os.PathLike[str]) -> Path:
    if not isinstance(path, (str, os.PathLike)) or not str(path):
        raise BundleError(f"Expected the path of a NIfTI file (.nii or .nii.gz), got {path!r}.")
    path = Path(path).expanduser()
    if path.is_dir():
        raise BundleError(f"{path} is a folder; expected a NIfTI file (.nii or .nii.gz).")
    if not path.exists():
        raise BundleError(f"{path} does not exist; expected a NIfTI file (.nii or .nii.gz).")
    if not path.name.lower().endswith(_SUFFIXES):
        raise BundleError(f"{path} has an unknown suffix; expected a NIfTI file (.nii or .nii.gz).")
    if not os.access(path, os.R_OK):
        raise BundleError(f"{path} may not be read by this user; change its permissions.")
    return path


def _check_header(image: nib.spatialimages.SpatialImage, path: Path, min_slices: int) -> None:
    """Refuse by the header alone, before the voxels are decoded."""
    dtype, shape = image.get_data_dtype(), image.shape
    if dtype.kind not in "iuf":
        kind = "complex" if dtype.kind == "c" else "colour"
        raise BundleError(f"{path} holds {kind} voxels; expected one real number a voxel (a magnitude image).")
    volumes = int(np.prod(shape[3:]))
    if volumes != 1:
        raise BundleError(f"{path} holds {volumes} volumes (shape {shape}); expected one, so extract it first.")
    size = (*shape[:3], 1, 1, 1)[:3]
    if min(size) < min_slices:
        raise BundleError(
            f"{path} is no volume: its shape is {shape}, but every axis needs at least {min_slices} voxels."
        )
    if not _is_regular(image.affine):
        raise BundleError(f"{path} has a singular affine (its voxel axes do not span space); mend the file's header.")


def _is_regular(affine: np.ndarray) -> bool:
    """Whether the affine is finite and its three axes are independent, whatever the voxel sizes."""
    axes = np.asarray(affine, dtype=np.float64)[:3, :3]
    lengths = np.linalg.norm(axes, axis=0)
    if not (np.isfinite(affine).all() and (lengths > 0).all()):
        return False
    return bool(abs(np.linalg.det(axes / lengths)) > _MIN_DETERMINANT)


def _check_voxels(volume: MetaTensor, path: Path) -> None:
    voxels = volume.as_tensor()
    broken = int((~torch.isfinite(voxels)).sum())
    if broken:
        raise BundleError(
            f"{path} holds {broken} non-finite voxels (NaN or infinity) of {voxels.numel()}; replace them first."
        )
    low, high = (float(value) for value in torch.aminmax(voxels))
    if low == high:
        raise BundleError(f"{path} holds no image: every voxel is {low:g}.")
