"""The scans that an uncertainty is calibrated by and judged on: mask families and accelerations."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from typing import Any

from pydantic import TypeAdapter, ValidationError

from ..acquisition import Acquisition, VolumeDataset, make_mask
from ..errors import BundleError

__all__ = ["SCANS", "acquisitions", "scanned", "tell_unlike"]

_logger = logging.getLogger(__name__)

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


def tell_unlike(known: Mapping[str, Any], own: Acquisition) -> None:
    """A line where a scan is unlike those of a record by :func:`scanned`: nobody knows what an interval holds there."""
    unlike = _unlike(known, own) if known else []
    if unlike:
        families = ", ".join(dict.fromkeys(pattern for pattern, _ in known["scans"]))
        speeds = [speed for _, speed in known["scans"]]
        _logger.warning(
            "The uncertainty was calibrated on other scans (%s, %g to %gx, noise %g, phase %g) than this one, which "
            "has %s: what its interval holds here was not measured.",
            families,
            min(speeds),
            max(speeds),
            known["noise_level"],
            known["phase_level"],
            " and ".join(unlike),
        )


def _unlike(known: Mapping[str, Any], own: Acquisition) -> list[str]:
    """In words, what of a scan the record does not have."""
    speeds = [speed for pattern, speed in known["scans"] if type(make_mask(pattern, speed)) is type(own.mask)]
    found = ["masks of another family"] * (not speeds)
    if speeds and not min(speeds) <= own.mask.acceleration <= max(speeds):
        found.append(f"an acceleration of {own.mask.acceleration:g}")
    if (own.noise.level, own.noise.unit) != (known["noise_level"], known["noise_unit"]):
        found.append(f"noise of {own.noise.level:g} ({own.noise.unit})")
    if own.phase.level != known["phase_level"]:
        found.append(f"a phase of {own.phase.level:g} radians")
    return found
