"""NIfTI files to volumes: MONAI's reader, after a check of the header and before one of the voxels.

The affine is what :func:`~bundle.data.location.locate` reads in the header, in RAS millimetres.
"""

from __future__ import annotations

import gzip
import logging
import os
from collections.abc import Hashable, Mapping
from pathlib import Path
from typing import Any, cast

import nibabel as nib
import torch
from monai.config import KeysCollection
from monai.data import MetaTensor, NibabelReader
from monai.transforms import LoadImage, MapTransform
from monai.utils import ensure_tuple
from nibabel.spatialimages import SpatialImage

from ..errors import BundleError
from .headers import header_flaw
from .location import locate
from .voxels import check_voxels, without_negatives

__all__ = ["ReadVolumed", "file_of", "read_volume"]

_logger = logging.getLogger(__name__)


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
        float32, ``(1, x, y, z)``, in the file's scaled intensities; the affine is the file's, in RAS mm. The small
        negative values that interpolation leaves beside edges are set to 0, with a line in the log.

    Raises:
        BundleError: what :func:`header_flaw` and :func:`check_voxels` find, or a file that is cut short or damaged.
    """
    if not isinstance(path, (str, os.PathLike)) or not str(path):
        raise BundleError(f"Expected the path of a NIfTI file (.nii or .nii.gz), got {path!r}.")
    path = Path(path).expanduser()
    if flaw := header_flaw(path, min_slices):
        raise BundleError(f"{path} {flaw}.")
    try:
        volume = LoadImage(ensure_channel_first=True)(path, reader=_WholeFileReader(squeeze_non_spatial_dims=True))
    except MemoryError as error:
        raise BundleError(f"{path} does not fit into this machine's memory.") from error
    except Exception as error:  # nibabel, gzip and zlib each have their own kinds for one and the same mistake
        raise BundleError(f"{path} cannot be read as NIfTI: its voxels are cut short or damaged.") from error
    volume = volume.reshape(1, *volume.shape[1:], *(1,) * (4 - volume.ndim))
    location = locate(cast(SpatialImage, nib.load(path)))
    if location.remark:
        _logger.warning("%s %s", path, location.remark)
    volume.affine = torch.from_numpy(location.affine)
    check_voxels(volume, str(path))
    return without_negatives(volume, str(path))


class _WholeFileReader(NibabelReader):
    """MONAI's reader, which stops where the voxels end; a ``.gz`` is read to its end, so that its checksum speaks."""

    def read(self, data: Any, **settings: Any) -> Any:
        """The image of a path, as nibabel loads it."""
        self.filenames = ensure_tuple(data)
        path = Path(self.filenames[0])
        image = nib.load(path)
        if path.suffix.lower() == ".gz":
            image = cast(Any, type(image)).from_bytes(gzip.decompress(path.read_bytes()))
        return image  # with its affine as it is: locate reads it


def file_of(volume: MetaTensor) -> str:
    """The file that a volume was read from, for messages."""
    return str(getattr(volume, "meta", {}).get("filename_or_obj", "the volume"))
