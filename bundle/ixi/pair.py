"""T1 on T2's grid, both cut to the paper's matrix: as arrays, and as what is written of them."""

from __future__ import annotations

import gzip
from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np
import torch
from monai.data import MetaTensor

from ..data import Geometry, ReadVolumed, RigidAlignmentd, VolumeToSlicesd
from ..data.alignment import LEAST_LIKENESS
from ..data.mutual_information import likeness_at, rounded_down
from ..errors import BundleError
from ..evaluation.volume_files import nifti_like

__all__ = ["AlignedPair", "align_pair", "check_likeness", "packed"]

_WHOLE_NUMBERS = 32767  # the largest of int16


class AlignedPair(NamedTuple):
    """A pair on the matrix that is written.

    Attributes:
        t1, t2: ``(h, w, slice)``.
        to_file: 4x4, from their voxels to those of the T2 file.
        affine: 4x4, from their voxels to RAS mm.
        depth: how many slices the T2 file has.
        alignment: what :class:`~bundle.data.RigidAlignmentd` reports.
    """

    t1: np.ndarray
    t2: np.ndarray
    to_file: np.ndarray
    affine: np.ndarray
    depth: int
    alignment: Mapping[str, Any]


def align_pair(t1: str, t2: str, image_size: int, slices: int) -> AlignedPair:
    """Read, register by all that both files hold, and cut; T2 is not interpolated.

    Raises:
        BundleError: a file cannot be read, or the matrix is too small for its slices.
    """
    item = ReadVolumed(("t1", "t2"))({"t1": t1, "t2": t2})
    _check_slices(item["t2"], image_size)
    item = RigidAlignmentd()(item)
    item = VolumeToSlicesd(image_size=image_size)(item)
    depth = len(item["t2"])
    first = max(0, (depth - slices) // 2)
    moving, fixed = (np.moveaxis(np.asarray(item[key])[first : first + slices], 0, -1) for key in ("t1", "t2"))
    to_file = item["geometry"].matrix_to_file.copy()
    to_file[:, 3] += first * to_file[:, 2]
    return AlignedPair(moving, fixed, to_file, np.asarray(item["geometry"].affine) @ to_file, depth, item["alignment"])


def _check_slices(t2: MetaTensor, image_size: int) -> None:
    """Refuse a matrix whose voxels would be longer than the slices are apart: readers would cut the volume otherwise.

    Raises:
        BundleError: the largest voxel axis is no longer that of the slices.
    """
    cut = Geometry.of(np.asarray(t2.affine), t2.shape[1:], image_size)
    apart, longest = float(np.linalg.norm(np.asarray(cut.affine)[:3, cut.slice_axis])), max(cut.spacing)
    if round(longest, 3) > round(apart, 3):  # as Geometry compares them
        raise BundleError(
            f"--image-size {image_size} would make voxels of {longest:.3g} mm, and the slices are {apart:.3g} mm "
            "apart: what reads the volume would take another axis for that of the slices. Prepare with a larger one, "
            "and give the smaller one to a training or an evaluation, as image_size."
        )


def check_likeness(pair: AlignedPair) -> float:
    """Its likeness as it is cut: what a training would refuse as a whole is refused here by the subject.

    Raises:
        BundleError: the two do not show one anatomy.
    """
    moving, fixed = (MetaTensor(image[None], affine=torch.from_numpy(pair.affine)) for image in pair[:2])
    likeness = likeness_at(fixed, moving, np.eye(4))
    if likeness < LEAST_LIKENESS:
        raise BundleError(
            f"T1 and T2 do not seem to show one anatomy: aligned as well as can be, their likeness is "
            f"{rounded_down(likeness)}, expected {LEAST_LIKENESS:g} at least."
        )
    return likeness


def packed(voxels: np.ndarray, t2: str, to_file: np.ndarray) -> bytes:
    """The content of a ``.nii.gz`` of whole numbers: the voxels where they are such, else in steps of max / 32767.

    Args:
        voxels: ``(h, w, slice)``.
        t2: the file whose affines, codes and units it gets.
        to_file: 4x4, from these voxels to that file's.
    """
    like = nifti_like(t2, voxels, to_file)
    brightest = float(voxels.max())
    exact = brightest <= _WHOLE_NUMBERS and bool((voxels == np.rint(voxels)).all())
    step = 1.0 if exact else brightest / _WHOLE_NUMBERS
    whole = type(like)(np.rint(voxels / step).astype(np.int16), None, like.header)
    whole.header.set_data_dtype(np.int16)
    whole.header.set_slope_inter(step, 0)
    return gzip.compress(whole.to_bytes(), compresslevel=6, mtime=0)
