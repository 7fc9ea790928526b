"""Images of raw scans: readout oversampling removed, coils combined, the middle that the scanner shows."""

from __future__ import annotations

import logging
import os
from collections.abc import Hashable, Mapping, Sequence
from dataclasses import replace
from typing import Any, Literal

import numpy as np
import torch
from monai.config import KeysCollection
from monai.data import MetaTensor
from monai.transforms import MapTransform

from ..data.reading import read_volume
from ..data.voxels import check_voxels
from ..errors import BundleError
from ..fourier import fft2c, ifft2c, to_size
from .centre import check_centre
from .coils import combine, estimate_maps
from .found import root_sum_of_squares
from .reading import is_raw, read_kspace
from .sampling import find_sampling
from .scan import RawScan

__all__ = ["ReadScand", "magnitude_volume", "moved_affine", "read_image", "without_oversampling"]

_logger = logging.getLogger(__name__)
Combination = Literal["adaptive", "rss"]


class ReadScand(MapTransform):
    """Replace each key's path by its image: float32 ``MetaTensor`` ``(1, x, y, z)``, see :func:`read_image`.

    Args:
        keys: entries that hold a path of raw k-space or of NIfTI.
        combination: of coils.
    """

    def __init__(self, keys: KeysCollection = ("t1", "t2"), combination: Combination = "adaptive") -> None:
        super().__init__(keys)
        if combination not in ("adaptive", "rss"):
            raise BundleError(f"combination is adaptive or rss (root sum of squares), not {combination!r}.")
        self.combination = combination

    def __call__(self, data: Mapping[Hashable, Any]) -> dict[Hashable, Any]:
        """A copy of ``data`` with volumes in place of paths."""
        items = dict(data)
        for key in self.key_iterator(items):
            items[key] = read_image(items[key], self.combination)
        return items


def read_image(path: str | os.PathLike[str], combination: Combination = "adaptive") -> MetaTensor:
    """The magnitude image of a file, raw k-space or NIfTI, ``(1, x, y, z)``, with a line where raw k-space is not full.

    Raises:
        BundleError: what :func:`read_kspace` and :func:`bundle.data.read_volume` refuse.
    """
    if not is_raw(path):
        return read_volume(path)
    scan = read_kspace(path)
    check_centre(scan.sampling, str(path))
    if not scan.sampling.is_full:
        _logger.warning(
            "%s is undersampled, %.3g times; what is taken of it is its zero-filled image.",
            path,
            scan.sampling.effective,
        )
    return magnitude_volume(scan, combination)


def magnitude_volume(scan: RawScan, combination: Combination = "adaptive", whole: bool = False) -> MetaTensor:
    """The zero-filled magnitude image.

    Args:
        scan: raw scan.
        combination: ``adaptive``, by sensitivities; ``rss``, root sum of squares.
        whole: of the whole matrix, not of the middle alone.

    Returns:
        float32, ``(1, rows, columns, slices)``, with the scan's affine, and its contrast in ``meta``.
    """
    if combination == "rss":
        images = torch.stack([root_sum_of_squares(coils) for coils in scan.kspace])
    else:
        images = combine(ifft2c(scan.kspace), estimate_maps(scan.kspace, scan.sampling)).abs()
    affine = scan.affine
    if not whole:
        affine = moved_affine(affine, images.shape[-2:], scan.crop)
        images = to_size(images, scan.crop)
    volume = MetaTensor(images.permute(1, 2, 0)[None].contiguous(), affine=torch.from_numpy(affine))
    volume.meta.update({"filename_or_obj": str(scan.path), "contrast": scan.contrast})
    check_voxels(volume, str(scan.path))
    return volume


def moved_affine(affine: np.ndarray, plane: Sequence[int], crop: Sequence[int]) -> np.ndarray:
    """Of the middle ``crop`` of an image of ``plane`` rows and columns, which has ``affine``."""
    moved = affine.copy()
    moved[:3, 3] += affine[:3, :2] @ [old // 2 - new // 2 for old, new in zip(plane, crop)]
    return moved


def without_oversampling(scan: RawScan) -> RawScan:
    """The scan cut to the rows that the scanner shows, where every row of k-space was acquired and nothing is lost.

    fastMRI's readout has twice the points of its image: what lies beyond the middle is air, or was filtered away.
    """
    rows, height = scan.sampling.rows, scan.kspace.shape[2]
    if rows is None or scan.sampling.columns is None or rows.acquired < height or scan.crop[0] >= height:
        return scan
    size = scan.crop[0], scan.kspace.shape[3]
    acquired = torch.from_numpy(scan.sampling.acquired[:1])
    kspace = torch.stack([fft2c(to_size(ifft2c(coils), size)) * acquired for coils in scan.kspace])
    columns = scan.sampling.columns
    magnitude = kspace.abs().square().sum(dim=(0, 1)).sqrt().numpy()
    sampling, _ = find_sampling(magnitude, (columns.first, columns.last + 1), scan.sampling.nominal)
    affine = moved_affine(scan.affine, scan.kspace.shape[2:], size)
    return replace(scan, kspace=kspace, sampling=sampling, affine=affine)
