"""Volume to slices and back: the slice axis, the scan's matrix, and where its voxels lie.

In plane nothing is interpolated. A larger matrix is brought to ``image_size`` by keeping the middle of its k-space: the
field of view stays, the resolution is lower. A smaller one is padded with zeros: the field of view grows. Both
are undone for the output, by zero-filling k-space and by cropping.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

from ..errors import BundleError
from ..fourier import fft2c, ifft2c, to_size
from ..settings import plain

__all__ = [
    "DIVISOR",
    "Geometry",
    "from_matrix",
    "matrix_for",
    "middle_of_the_head",
    "slices_to_volume",
    "to_matrix",
    "volume_to_slices",
]

DIVISOR = 16  # MANet's four poolings
_LARGEST = 4096  # rows or columns: no scanner has so many
_SIZES = range(DIVISOR, _LARGEST + 1, DIVISOR)


@dataclass(frozen=True)
class Geometry:
    """Where the slices came from.

    Attributes:
        affine: 4x4, voxel ``(x, y, z)`` of the file to RAS mm.
        shape: ``(x, y, z)`` of the file.
        slice_axis: which of the three is the slice axis.
        matrix: ``(h, w)`` of the slices.
    """

    affine: tuple[tuple[float, ...], ...]
    shape: tuple[int, int, int]
    slice_axis: int
    matrix: tuple[int, int]

    @classmethod
    def of(cls, affine: np.ndarray, shape: Sequence[int], image_size: int | Sequence[int] | None) -> Geometry:
        """Geometry of a volume; its slice axis is the one with the thickest voxels, the last one of equal ones."""
        affine = np.asarray(affine, dtype=float)
        spacing = np.round(np.linalg.norm(affine[:3, :3], axis=0), 3)
        slice_axis = int(2 - np.argmax(spacing[::-1]))
        x, y, z = map(int, shape)
        plane = [size for axis, size in enumerate((x, y, z)) if axis != slice_axis]
        return cls(tuple(map(tuple, affine.tolist())), (x, y, z), slice_axis, matrix_for(plane, image_size))

    @classmethod
    def from_dict(cls, values: Mapping) -> Geometry:
        """The inverse of :meth:`as_dict`."""
        return cls(
            tuple(map(tuple, values["affine"])), tuple(values["shape"]), values["slice_axis"], tuple(values["matrix"])
        )

    def as_dict(self) -> dict:
        """Plain values, for JSON."""
        return asdict(self)

    @property
    def plane(self) -> tuple[int, int]:
        """``(h, w)`` of the file's slices."""
        height, width = (size for axis, size in enumerate(self.shape) if axis != self.slice_axis)
        return height, width

    @property
    def matrix_to_file(self) -> np.ndarray:
        """4x4, voxel ``(h, w, slice)`` of the matrix to voxel ``(x, y, z)`` of the file.

        Cropped k-space has larger voxels, padding shifts them.
        """
        in_plane = [axis for axis in range(3) if axis != self.slice_axis]
        voxel = np.zeros((4, 4))
        voxel[3, 3] = voxel[self.slice_axis, 2] = 1
        for column, (axis, native, size) in enumerate(zip(in_plane, self.plane, self.matrix)):
            zoom = native / size if native > size else 1.0
            voxel[axis, column] = zoom
            voxel[axis, 3] = native // 2 - zoom * (size // 2)  # the middle, where both FFTs are centred, stays
        return voxel

    @property
    def matrix_affine(self) -> np.ndarray:
        """4x4, voxel ``(h, w, slice)`` of the matrix to RAS mm."""
        return np.asarray(self.affine) @ self.matrix_to_file

    @property
    def spacing(self) -> tuple[float, float]:
        """Between the matrix's rows and between its columns, mm."""
        row, column = np.linalg.norm(self.matrix_affine[:3, :2], axis=0).tolist()
        return row, column

    @property
    def upright(self) -> int:
        """Quarter turns counter-clockwise that put the front of an axial slice on top."""
        return 1 if self.matrix_affine[1, 1] >= 0 else -1


def matrix_for(plane: Sequence[int], image_size: int | Sequence[int] | None) -> tuple[int, int]:
    """The matrix ``(h, w)`` that slices of ``plane`` are brought to; see :class:`~bundle.data.VolumeToSlicesd`."""
    wanted: Any = plain(image_size)
    if wanted is None:
        height, width = (-(-size // DIVISOR) * DIVISOR for size in plane)
        return height, width
    sizes = list(wanted) if isinstance(wanted, Sequence) else [wanted, wanted]
    if len(sizes) != 2 or any(not isinstance(size, int) or size not in _SIZES for size in sizes):
        raise BundleError(
            f"image_size is a multiple of {DIVISOR} up to {_LARGEST}, a pair of them, or null for each volume's own "
            f"matrix; not {wanted!r}."
        )
    return sizes[0], sizes[1]


def middle_of_the_head(foreground: Sequence[float]) -> int:
    """The middle one of the slices that are nearly full; the fullest one often lies at the base of the skull.

    Args:
        foreground: for each slice, the fraction of voxels with signal.
    """
    full = np.flatnonzero(np.asarray(foreground) >= 0.8 * max(foreground))
    return int(full[len(full) // 2])


def volume_to_slices(volume: Tensor, geometry: Geometry) -> Tensor:
    """``(x, y, z)`` real on the file's grid to ``(s, h, w)`` magnitude on the matrix."""
    planes = volume.abs().movedim(geometry.slice_axis, 0)
    return torch.stack([to_matrix(plane, geometry.matrix) for plane in planes])


def slices_to_volume(slices: Tensor, geometry: Geometry) -> Tensor:
    """``(s, h, w)`` on the matrix back to ``(x, y, z)`` on the file's grid."""
    planes = torch.stack([from_matrix(image, geometry.plane) for image in slices])
    return planes.movedim(0, geometry.slice_axis).contiguous()


def to_matrix(image: Tensor, matrix: Sequence[int]) -> Tensor:
    """``(h, w)`` magnitude to the scan's matrix: pad the image where it is smaller, crop k-space where it is larger."""
    padded = to_size(image, [max(sizes) for sizes in zip(image.shape, matrix)])
    return _resize_kspace(padded, matrix)


def from_matrix(image: Tensor, plane: Sequence[int]) -> Tensor:
    """Undo :func:`to_matrix`: zero-fill k-space where the scan's matrix was smaller, crop the padding elsewhere."""
    enlarged = _resize_kspace(image, [max(sizes) for sizes in zip(image.shape, plane)])
    return to_size(enlarged, plane)


def _resize_kspace(image: Tensor, size: Sequence[int]) -> Tensor:
    """Crop or zero-fill k-space about its middle; intensities stay as they were."""
    if tuple(image.shape) == tuple(size):
        return image
    resized = ifft2c(to_size(fft2c(image), size)).abs()
    return resized * (resized.numel() / image.numel()) ** 0.5
