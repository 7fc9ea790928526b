"""Files to volumes: after a check of the header and before one of the voxels.

NIfTI is read by MONAI's reader, with the affine that :func:`~bundle.data.location.locate` finds in the header, in RAS
millimetres; a folder with a DICOM series as :mod:`bundle.data.dicom_series` says.
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
from monai.transforms import MapTransform
from monai.utils import ensure_tuple
from nibabel.spatialimages import SpatialImage

from ..errors import BundleError
from ..paths import expanded
from .dicom_folders import choose_series
from .dicom_series import read_series
from .headers import header_flaw
from .location import locate
from .voxels import as_single, check_voxels, without_negatives

__all__ = ["ReadVolumed", "file_of", "read_volume"]

_logger = logging.getLogger(__name__)


class ReadVolumed(MapTransform):
    """Replace each key's file path by its volume: float32 ``MetaTensor`` ``(1, x, y, z)``, see :func:`read_volume`.

    Args:
        keys: entries that hold the path of a NIfTI file or of a folder with a DICOM series (``str`` or ``Path``); of
            several series ``<key>_series`` names one.
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
            items[key] = read_volume(items[key], self.min_slices, data.get(f"{key}_series"))
        return items


def read_volume(path: str | os.PathLike[str], min_slices: int = 2, series: str | None = None) -> MetaTensor:
    """Read a three-dimensional volume.

    Args:
        path: a ``.nii`` or ``.nii.gz`` file, of which a fourth dimension of one volume is dropped, or a folder with a
            DICOM series.
        min_slices: fewest voxels that every axis must have.
        series: which of the folder's series, by number or UID; None where it holds one.

    Returns:
        float32, ``(1, x, y, z)``, in the file's scaled intensities; the affine is the file's, in RAS mm. The small
        negative values that interpolation leaves beside edges are set to 0, with a line in the log.

    Raises:
        BundleError: what :func:`header_flaw`, :func:`~bundle.data.dicom_series.series_flaw` and :func:`check_voxels`
            find, or a file that is cut short or damaged.
    """
    if not isinstance(path, (str, os.PathLike)) or not str(path):
        raise BundleError(f"Expected the path of a NIfTI file (.nii or .nii.gz), got {path!r}.")
    path = expanded(path)
    volume = read_series(choose_series(path, series), min_slices) if path.is_dir() else _read_nifti(path, min_slices)
    check_voxels(volume, str(path))
    return without_negatives(volume, str(path))


def _read_nifti(path: Path, min_slices: int) -> MetaTensor:
    if flaw := header_flaw(path, min_slices):
        raise BundleError(f"{path} {flaw}.")
    try:
        reader = _WholeFileReader(squeeze_non_spatial_dims=True)
        voxels = torch.from_numpy(as_single(reader.get_data(reader.read(path))[0], str(path)))
    except BundleError:
        raise
    except MemoryError as error:
        raise BundleError(f"{path} does not fit into this machine's memory.") from error
    except Exception as error:  # nibabel, gzip and zlib each have their own kinds for one and the same mistake
        raise BundleError(f"{path} cannot be read as NIfTI: its voxels are cut short or damaged.") from error
    location = locate(cast(SpatialImage, nib.load(path)))
    if location.remark:
        _logger.warning("%s %s", path, location.remark)
    voxels = voxels.reshape(1, *voxels.shape, *(1,) * (3 - voxels.ndim))
    return MetaTensor(voxels, affine=torch.from_numpy(location.affine), meta={"filename_or_obj": str(path)})


class _WholeFileReader(NibabelReader):
    """MONAI's reader, which stops where the voxels end; a ``.gz`` is read to its end, so that its checksum speaks.

    It is used without ``LoadImage``, which builds all of MONAI's readers, each with its warnings.
    """

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
