"""One plain record of a raw scan, whatever file it came from."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from ..errors import BundleError
from .equal_slices import check_slices
from .header import Header
from .sampling import Sampling, find_sampling

__all__ = ["RawScan", "axial_affine", "make_scan"]

_ROUNDED = 0.02  # of a matrix: how far headers round


@dataclass(frozen=True)
class RawScan:
    """The k-space of a stack of slices.

    Attributes:
        path: the file.
        name: what outputs are called after.
        kind: of file: fastMRI, M4Raw, ISMRMRD or array.
        kspace: complex64, ``(slices, coils, h, w)``, zero frequency at ``(h // 2, w // 2)``, 0 where not acquired.
        sampling: what of it was acquired.
        affine: 4x4, voxel ``(row, column, slice)`` of the image of the whole matrix to RAS mm.
        crop: matrix ``(h, w)`` of the image that the scanner shows, the middle of the whole one.
        contrast: as the file names it, or "unknown".
        scaling: what the file says of its units, such as ``max`` and ``norm``.
        reference: the file's own reconstruction, magnitude ``(slices, h, w)``, or None.
        remarks: what else was found, as sentences without a full stop.
    """

    path: Path
    name: str
    kind: str
    kspace: Tensor
    sampling: Sampling
    affine: np.ndarray
    crop: tuple[int, int]
    contrast: str = "unknown"
    scaling: Mapping[str, float] = field(default_factory=dict)
    reference: np.ndarray | None = None
    remarks: tuple[str, ...] = ()

    @property
    def spacing(self) -> tuple[float, float, float]:
        """Of rows, columns and slices, mm."""
        row, column, slices = np.linalg.norm(self.affine[:3, :3], axis=0).tolist()
        return row, column, slices


def make_scan(
    path: Path,
    kind: str,
    kspace: np.ndarray,
    header: Header | None = None,
    *,
    affine: np.ndarray | None = None,
    crop: Sequence[int] | None = None,
    nominal: float | None = None,
    remarks: Sequence[str] = (),
    **more,
) -> RawScan:
    """Look at a k-space, and put what was found beside it.

    Args:
        path: the file.
        kind: of file.
        kspace: complex, ``(slices, coils, h, w)``.
        header: gives matrix, field of view, padding and acceleration where the other arguments do not.
        affine: of the whole matrix; None: made of the header's field of view, centred and as if axial.
        crop: matrix of the scanner's image; None: the header's, else the whole. Where its voxels are not the scan's,
            by the header's fields of view, the scan's own matrix of that field is taken.
        nominal: acceleration that the file names.
        remarks: what the reader has found.
        **more: other attributes of :class:`RawScan`.

    Raises:
        BundleError: no point was acquired, some are not finite, or the slices acquired different ones.
    """
    header = header or Header()
    with np.errstate(over="ignore"):  # what is too large becomes infinite, and is refused
        kspace = np.ascontiguousarray(kspace, dtype=np.complex64)
    magnitude = _magnitude(kspace, path)
    check_slices(kspace, path)
    sampling, disagreements = find_sampling(magnitude, header.padding, nominal or header.acceleration)
    affine, unknown = _affine_of(header, kspace.shape) if affine is None else (affine, [])
    (height, width), others = _image_matrix(header, kspace.shape[2:], crop, path)
    return RawScan(
        path=path,
        kind=kind,
        kspace=torch.from_numpy(kspace),
        sampling=sampling,
        affine=affine,
        crop=(height, width),
        remarks=(*remarks, *unknown, *others, *disagreements),
        **more,
    )


def axial_affine(spacing: Sequence[float], shape: Sequence[int]) -> np.ndarray:
    """Rows from front to back, columns from right to left, slices from the feet up, centred on the origin.

    Args:
        spacing: of rows, columns and slices, mm.
        shape: number of rows, columns and slices.
    """
    affine = np.zeros((4, 4))
    affine[1, 0], affine[0, 1], affine[2, 2], affine[3, 3] = -spacing[0], -spacing[1], spacing[2], 1
    affine[:3, 3] = -affine[:3, :3] @ [shape[0] // 2, shape[1] // 2, (shape[2] - 1) / 2]
    return affine


def _magnitude(kspace: np.ndarray, path: Path) -> np.ndarray:
    """Of all coils and slices together."""
    with np.errstate(over="ignore"):
        magnitude = np.sqrt(sum((np.abs(image) ** 2).sum(axis=0, dtype=np.float64) for image in kspace))
    if not np.isfinite(magnitude).all():
        raise BundleError(f"The k-space of {path} holds NaN or infinity, or values beyond 1e19; write the file anew.")
    if not magnitude.any():
        raise BundleError(f"The k-space of {path} is zero throughout; nothing was acquired.")
    return magnitude


def _image_matrix(
    header: Header, whole: Sequence[int], shown: Sequence[int] | None, path: Path
) -> tuple[list[int], list[str]]:
    """Matrix of the scanner's image in the voxels of the scan, and a remark where the scanner's are others."""
    shown = list(shown or (header.recon or whole)[:2])
    matrix = list(map(min, shown, whole))
    if header.encoded_fov is None or header.recon_fov is None:
        return matrix, []
    fields = zip(whole, header.recon_fov, header.encoded_fov)
    own = [min(size, round(size * part / field)) for size, part, field in fields]
    if 0 in own:
        raise BundleError(
            f"The header of {path} gives the image a field of view of {header.recon_fov[:2]} mm, less than a voxel of "
            f"its k-space, which has {header.encoded_fov[:2]} mm; mend it."
        )
    own = [one if abs(one - other) <= _ROUNDED * other else other for one, other in zip(matrix, own)]
    if own == matrix:
        return matrix, []
    told = " x ".join(map(str, shown))
    return own, [
        f"the scanner's image, {told}, has other voxels than the scan: its field of view is kept, not its matrix"
    ]


def _affine_of(header: Header, shape: Sequence[int]) -> tuple[np.ndarray, list[str]]:
    slices, _, height, width = shape
    if header.encoded_fov is None:
        unknown = "voxel sizes are unknown and taken for 1 mm, position and orientation are unknown"
        return axial_affine((1, 1, 1), (height, width, slices)), [unknown]
    spacing = header.encoded_fov[0] / height, header.encoded_fov[1] / width, header.encoded_fov[2]
    unknown = "position and orientation are unknown: taken for axial and centred, slices for one beside the other"
    return axial_affine(spacing, (height, width, slices)), [unknown]
