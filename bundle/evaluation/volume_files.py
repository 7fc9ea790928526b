"""Reconstructed volumes as NIfTI files that lie where their T2 file lies."""

from __future__ import annotations

import gzip
from collections.abc import Hashable, Mapping
from pathlib import Path
from typing import cast

import nibabel as nib
import numpy as np
from monai.config import KeysCollection
from monai.data import MetaTensor
from monai.transforms import MapTransform
from nibabel.nifti1 import Nifti1Header, Nifti1Image
from nibabel.nifti2 import Nifti2Header, Nifti2Image

from ..data.location import ALIGNED, SCANNER, located_header
from ..errors import BundleError
from ..kspace.reading import is_raw
from ..outputs import write_whole
from ..paths import path_of

__all__ = ["SUFFIX", "UNCERTAINTY", "SaveVolumed", "nifti_like", "write_volume"]

SUFFIX = ".nii.gz"
UNCERTAINTY = "uncertainty"  # ends the names of standard deviations
# what a header says about where voxels lie and when they were measured; the rest is about the T2 file's contents
_GRID = """dim pixdim dim_info xyzt_units qform_code quatern_b quatern_c quatern_d qoffset_x qoffset_y qoffset_z
sform_code srow_x srow_y srow_z slice_start slice_end slice_code slice_duration toffset""".split()


class SaveVolumed(MapTransform):
    """Write MetaTensors ``(1, x, y, z)`` as ``output_dir/<name>_<postfix>.nii.gz``, float32, each whole or not at all.

    A volume on the T2 file's grid gets that file's shape, affines with their codes, voxel sizes and units, one on the
    scan's matrix what follows from them; readers put both where T2 was taken to lie (:mod:`bundle.data.location`).
    Intent, description and extensions of the T2 file are not carried over. Of raw k-space the volume's own affine is
    written.

    Args:
        keys: what :class:`~bundle.evaluation.ToFileGridd` or :class:`~bundle.evaluation.ToMatrixGridd` returns.
        postfix: ends the files' names.
        output_dir: made if need be.
        allow_missing_keys: whether keys that are not there are passed over.

    Raises:
        BundleError: the T2 file is gone or has another shape by now, or the folder cannot be written.
    """

    def __init__(self, keys: KeysCollection, postfix: str, output_dir: str, allow_missing_keys: bool = False) -> None:
        super().__init__(keys, allow_missing_keys)
        self.postfix = postfix
        self.folder = path_of("output_dir", output_dir)

    def __call__(self, data: Mapping[Hashable, MetaTensor]) -> dict[Hashable, MetaTensor]:
        for key in self.key_iterator(dict(data)):
            write_volume(self.folder / f"{data[key].meta['stem']}_{self.postfix}{SUFFIX}", data[key])
        return dict(data)


def write_volume(path: Path, volume: MetaTensor) -> None:
    """What :class:`SaveVolumed` does with one volume, to a file of any name; compressed where that ends in ``.gz``."""
    voxels, meta = volume.cpu().numpy()[0], volume.meta
    if Path(meta["t2_file"]).is_dir() or is_raw(meta["t2_file"]):  # a DICOM series, or k-space
        content = _nifti_at(volume.affine.cpu().numpy(), voxels).to_bytes()
    else:
        content = nifti_like(meta["t2_file"], voxels, meta.get("matrix_to_file")).to_bytes()
    write_whole(path, gzip.compress(content, compresslevel=1, mtime=0) if path.suffix.lower() == ".gz" else content)


def nifti_like(path: str, voxels: np.ndarray, to_file: np.ndarray | None = None) -> Nifti1Image:
    """An image that lies where the one of a file lies, float32, NIfTI-1 or -2 as the file.

    Args:
        path: the file.
        voxels: ``(x, y, z)``.
        to_file: 4x4, from these voxels to the file's; None where they are the same, and as many.

    Raises:
        BundleError: the file cannot be read, or has another number of voxels.
    """
    try:
        image = cast(Nifti1Image, nib.load(path))
        source = located_header(image)
        header = type(source)()
        for name in _GRID:
            header[name] = source[name]
        if to_file is None:
            voxels = voxels.reshape(image.shape)
    except (OSError, ValueError, KeyError, nib.filebasedimages.ImageFileError) as error:
        raise BundleError(f"{path} was changed or removed while its reconstruction was computed; run again.") from error
    header.set_data_dtype(np.float32)
    if to_file is not None:
        _place(header, source, to_file)
    kind = Nifti2Image if isinstance(header, Nifti2Header) else Nifti1Image
    return kind(voxels.astype(np.float32, copy=False), None, header)


def _nifti_at(affine: np.ndarray, voxels: np.ndarray) -> Nifti1Image:
    """An image in the scanner's coordinates, float32."""
    image = Nifti1Image(voxels.astype(np.float32, copy=False), affine)
    image.set_sform(affine, SCANNER)
    image.set_qform(affine, SCANNER)
    image.header.set_xyzt_units("mm")
    return image


def _place(header: Nifti1Header, source: Nifti1Header, to_file: np.ndarray) -> None:
    """Replace the header's place by that of other voxels of the source's space: its two affines keep their codes."""
    header["dim_info"] = header["slice_code"] = 0  # the axes may be others
    zooms = np.linalg.norm((source.get_best_affine() @ to_file)[:3, :3], axis=0)
    header["pixdim"][1:4] = zooms
    qform, qform_code = source.get_qform(coded=True)
    if qform_code:
        header.set_qform(qform @ to_file, int(qform_code))
    sform, sform_code = source.get_sform(coded=True)
    if sform_code:
        header.set_sform(sform @ to_file, int(sform_code))
    elif not qform_code:  # no affine at all: a file's middle is where the axes meet
        header.set_sform(source.get_best_affine() @ to_file, ALIGNED)
