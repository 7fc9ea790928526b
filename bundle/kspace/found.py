"""What was found in a file of raw k-space or of an image, in lines of a name and a sentence."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from monai.data import MetaTensor
from torch import Tensor

from ..counted import counted
from ..data.interpolation import Border, empty_border
from ..fourier import ifft2c, mirrored, to_size
from .sampling import Axis, Sampling
from .scan import RawScan

__all__ = ["image_lines", "root_sum_of_squares", "scan_lines", "volume_slices"]

_HERMITIAN = 1e-3  # of the magnitude: what the k-space of a real image, rounded, differs from its mirrored conjugate
_AGREES = 1e-3  # of the maximum, with a file's own reconstruction

Lines = list[tuple[str, str]]


def root_sum_of_squares(kspace: Tensor) -> Tensor:
    """``(..., coils, h, w)`` complex k-space to the magnitude image ``(..., h, w)``, zero-filled."""
    return torch.linalg.vector_norm(ifft2c(kspace), dim=-3)


def scan_lines(scan: RawScan) -> Lines:
    """Of raw k-space."""
    slices, coils, height, width = scan.kspace.shape
    sampling = scan.sampling
    mm = " x ".join(f"{size:.3g}" for size in scan.spacing)
    units = ", ".join(f"{name} {value:.4g}" for name, value in scan.scaling.items())
    return [
        ("file", f"{scan.path.name}: raw k-space, {scan.kind}"),
        ("matrix", f"{counted(slices, 'slice')}, {counted(coils, 'coil')}, {height} rows x {width} columns"),
        ("image", f"{scan.crop[0]} x {scan.crop[1]} voxels from the middle, {mm} mm" + (f"; {units}" if units else "")),
        ("contrast", scan.contrast),
        ("acquired", _acquired(sampling)),
        ("acceleration", _acceleration(sampling)),
        ("partial Fourier", _partial(sampling)),
        ("centre", _centre(sampling)),
        ("symmetry", _symmetry(scan.kspace[slices // 2])),
        ("remarks", "; ".join([*_own_image(scan), *scan.remarks]) or "none"),
    ]


def image_lines(path: Path, volume: MetaTensor) -> Lines:
    """Of an image's file, or folder, ``(1, x, y, z)`` as :func:`bundle.data.read_volume` gives it."""
    spacing = np.linalg.norm(np.asarray(volume.affine)[:3, :3], axis=0)
    rows, columns = empty_border(volume_slices(volume))
    sizes, mm = " x ".join(map(str, volume.shape[1:])), " x ".join(f"{size:.3g}" for size in spacing)
    found = [_border(rows, "rows"), _border(columns, "columns")]
    return [
        ("file", f"{path.name}: a magnitude image, {'DICOM series' if path.is_dir() else 'NIfTI'}"),
        ("matrix", f"{sizes} voxels of {mm} mm; no coils"),
        ("acquired", "not told by an image: k-space made of it is Hermitian, and has every point"),
        ("interpolation", "; ".join(found)),
    ]


def volume_slices(volume: MetaTensor) -> np.ndarray:
    """``(1, x, y, z)`` to ``(s, h, w)``, the slice axis that of the thickest voxels."""
    spacing = np.round(np.linalg.norm(np.asarray(volume.affine)[:3, :3], axis=0), 3)
    return np.moveaxis(np.asarray(volume[0]), int(2 - np.argmax(spacing[::-1])), 0)


def _acquired(sampling: Sampling) -> str:
    points = int(sampling.acquired.sum())
    if sampling.rows is None or sampling.columns is None:
        return f"{points} of {sampling.acquired.size} points, not in lines"
    named = [("columns", sampling.columns), ("rows", sampling.rows)]
    told = ", ".join(f"{axis.acquired} of {axis.size} {name}" for name, axis in named)
    padded = [f"{axis.padded} {name}" for name, axis in named if axis.padded]
    return told + (f"; zero-padded: {', '.join(padded)}, which count in no acceleration" if padded else "")


def _acceleration(sampling: Sampling) -> str:
    nominal = "unknown" if sampling.nominal is None else f"{sampling.nominal:.3g}"
    return f"nominal {nominal}, effective {sampling.effective:.3g} (all acquired points, the centre included)"


def _partial(sampling: Sampling) -> str:
    if sampling.rows is None or sampling.columns is None:
        return "not told of points"
    named: Sequence[tuple[str, Axis]] = [("phase encoding", sampling.columns), ("asymmetric echo", sampling.rows)]
    told = [f"{name}, {axis.encoded} of {axis.whole} lines" for name, axis in named if axis.is_partial]
    return "; ".join(told) or "none"


def _centre(sampling: Sampling) -> str:
    height, width = sampling.acquired.shape
    rows, columns = ((part.stop - part.start) for part in sampling.block)
    row, column = sampling.peak
    off = (
        "in the middle" if (row, column) == (height // 2, width // 2) else f"the middle is {height // 2}, {width // 2}"
    )
    return f"{rows} rows x {columns} columns fully sampled; peak at row {row}, column {column} ({off})"


def _symmetry(kspace: Tensor) -> str:
    """Whether each point is the conjugate of the one opposite, where both were acquired; one slice, ``(c, h, w)``."""
    opposite = mirrored(kspace).conj()
    both = (kspace != 0) & (opposite != 0)
    difference = torch.linalg.vector_norm((kspace - opposite)[both]) / torch.linalg.vector_norm(kspace[both])
    if difference < _HERMITIAN:
        return "Hermitian: made from a real image, not measured; mirrored points tell nothing new"
    return "not Hermitian, as what a scanner measures"


def _own_image(scan: RawScan) -> list[str]:
    if scan.reference is None or scan.reference.shape[-2:] != scan.crop or not scan.sampling.is_full:
        return []
    middle = len(scan.reference) // 2
    image = to_size(root_sum_of_squares(scan.kspace[middle]), scan.crop).numpy()
    reference = scan.reference[middle]
    apart = float(np.abs(image - reference).max() / max(float(reference.max()), 1e-30))
    how = "is" if apart < _AGREES else "is not"
    return [f"the file's own reconstruction {how} the root sum of squares of this k-space ({apart:.1g} of its maximum)"]


def _border(border: Border, name: str) -> str:
    if not border.is_empty:
        return (
            f"none found along its {name} (power falls by {border.fall:.0f} dB from a quarter of the way to the edge)"
        )
    return (
        f"about {border.filled} of {border.size} {name} of its k-space are filled, power falls by "
        f"{border.fall:.0f} dB beyond them: zero-filled, interpolated or filtered"
    )
