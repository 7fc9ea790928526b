"""The scans that an uncertainty is calibrated by and judged on: mask families and accelerations."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from pydantic import TypeAdapter, ValidationError

from ..acquisition import Acquisition, VolumeDataset, make_mask
from ..errors import BundleError

__all__ = ["SCANS", "acquisitions", "scanned"]

SCANS = tuple((pattern, speed) for pattern in ("random", "uniform", "radial", "spiral") for speed in (3, 6, 9))


def acquisitions(scans: Sequence[Sequence], own: Acquisition) -> dict[tuple[str, float], Acquisition]:
    """Pattern and acceleration of each scan to its acquisition, with the noise and phase of ``own``.

    Raises:
        BundleError: no scan, one twice, or what is none.
    """
    try:
        found = TypeAdapter(list[tuple[str, float]]).validate_python([*map(tuple, scans)])
    except (TypeError, ValidationError):
        found = []
    if not found or len(set(found)) < len(found):
        raise BundleError(f"scans is a list of patterns and accelerations, [[random, 6], ...], each once; not {scans}.")
    return {scan: Acquisition(make_mask(*scan), own.noise, own.visible, own.phase) for scan in found}


def scanned(dataset: VolumeDataset, scans: Sequence[tuple[str, float]]) -> dict[str, Any]:
    """For the record: scans, noise, phase, and the matrices of the volumes."""
    own = dataset.acquisition
    matrices = sorted({volume.geometry.matrix for volume in dataset.volumes})
    return {
        "scans": [list(scan) for scan in scans],
        "noise_level": own.noise.level,
        "noise_unit": own.noise.unit,
        "phase_level": own.phase.level,
        "matrices": [list(matrix) for matrix in matrices],
    }
