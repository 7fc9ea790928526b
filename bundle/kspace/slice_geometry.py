"""Where the slices of an ISMRMRD file lie, by the positions and directions of their readouts, which are LPS and mm."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from ..errors import BundleError
from .header import Header

__all__ = ["slices_in_order", "stack_affine"]

_LPS_TO_RAS = np.diag([-1.0, -1.0, 1.0])
_TURNED = 1e-3  # what a component of two slices' unit vectors may differ by
_SQUARE = 0.99  # volume that three unit vectors span, at least
_SAME_PLACE = 1e-3  # mm
_UNEVEN = 0.02  # of the distance between slices: what a step may differ by
_ROUNDED = 0.2  # mm: the same, where positions are rounded to a tenth
_SHEARED = 0.9  # of the distance between slices: what is along their normal, at least


def slices_in_order(heads: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The first readout of each slice, by position where that is told, and which slice each readout is of."""
    _, first, place = np.unique(heads["idx"]["slice"], return_index=True, return_inverse=True)
    position, normal = heads["position"][first], heads["slice_dir"][first]
    order = np.arange(len(first))
    if np.isfinite([position, normal]).all():
        order = np.argsort((position * normal).sum(axis=1), kind="stable")
    return heads[first[order]], np.argsort(order, kind="stable")[place]


def stack_affine(slices: np.ndarray, header: Header, plane: tuple[int, int], path: Path) -> np.ndarray | None:
    """Voxel ``(row, column, slice)`` to RAS mm.

    Args:
        slices: a readout's head of each, in order.
        header: gives the field of view.
        plane: rows and columns.
        path: the file.

    Returns:
        4x4; None where field of view, directions or positions are not told.

    Raises:
        BundleError: the slices are not parallel, or not one behind the other at equal distances.
    """
    axes = np.stack([slices[name] for name in ("read_dir", "phase_dir", "slice_dir")], axis=2).astype(float)
    lengths = np.linalg.norm(axes, axis=1, keepdims=True)
    if not (np.isfinite(lengths).all() and lengths.all()):
        return None
    axes /= lengths
    if np.abs(axes - axes[0]).max() > _TURNED:
        raise BundleError(f"The slices of {path} are not parallel, as of a localizer; write each to a file of its own.")
    positions = slices["position"].astype(float)
    if header.encoded_fov is None or not np.isfinite(positions).all() or abs(np.linalg.det(axes[0])) < _SQUARE:
        return None
    step = _step(positions, axes[0, :, 2], header.encoded_fov[2], path)
    if step is None:
        return None
    spacing = np.array(header.encoded_fov[:2]) / plane
    affine = np.eye(4)
    affine[:3, :3] = _LPS_TO_RAS @ np.column_stack([axes[0, :, :2] * spacing, step])
    affine[:3, 3] = _LPS_TO_RAS @ positions[0] - affine[:3, :2] @ [size // 2 for size in plane]
    return affine


def _step(positions: np.ndarray, normal: np.ndarray, thickness: float, path: Path) -> np.ndarray | None:
    """From a slice to the next; None where all lie at one place, which tells nothing."""
    steps = np.diff(positions, axis=0)
    if len(steps) == 0:
        return normal * thickness
    if np.abs(steps).max() < _SAME_PLACE:
        return None
    mean = steps.mean(axis=0)
    distance = float(np.linalg.norm(mean))
    uneven = np.linalg.norm(steps - mean, axis=1).max() > max(_UNEVEN * distance, _ROUNDED)
    if uneven or mean @ normal < _SHEARED * distance:
        raise BundleError(
            f"The slices of {path} do not lie one behind the other at equal distances, by the positions of their "
            "readouts; write those that do to a file of their own."
        )
    return mean
