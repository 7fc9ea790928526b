"""The scans that an uncertainty is calibrated by and judged on: mask families and accelerations."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Annotated

from pydantic import Field, TypeAdapter, ValidationError

from ..acquisition import Acquisition, VariedMask, VolumeDataset, make_mask
from ..acquisition.mask_families import CartesianMask
from ..errors import BundleError

__all__ = ["SCANS", "ScanRecord", "acquisitions", "scanned", "tell_unlike"]

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


@dataclass(frozen=True)
class ScanRecord:
    """How subjects were scanned, for a calibration's file.

    Attributes:
        scans: pattern and acceleration of each.
        noise_level, noise_unit: as :class:`~bundle.acquisition.KspaceNoise` has them.
        phase_level: standard deviation of the phase, radians.
        matrices: of the volumes.
    """

    scans: Annotated[Sequence[tuple[str, float]], Field(min_length=1)]
    noise_level: float
    noise_unit: str
    phase_level: float
    matrices: Sequence[tuple[int, int]]


def scanned(dataset: VolumeDataset, scans: Sequence[tuple[str, float]]) -> ScanRecord:
    """For the record."""
    own = dataset.acquisition
    matrices = sorted({volume.geometry.matrix for volume in dataset.volumes})
    return ScanRecord(list(scans), own.noise.level, own.noise.unit, own.phase.level, matrices)


def tell_unlike(known: ScanRecord, own: Acquisition) -> None:
    """A line where a scan is unlike those of a record: nobody knows what an interval holds there."""
    if unlike := [*_other_masks(known, own.mask), *_other_images(known, own)]:
        speeds = [speed for _, speed in known.scans]
        _logger.warning(
            "The uncertainty was calibrated on other scans (%s, %g to %gx, noise %g, phase %g) than this one, which "
            "has %s: what its interval holds here was not measured.",
            ", ".join(dict.fromkeys(pattern for pattern, _ in known.scans)),
            min(speeds),
            max(speeds),
            known.noise_level,
            known.phase_level,
            " and ".join(dict.fromkeys(unlike)),
        )


def _other_masks(known: ScanRecord, mask: CartesianMask | VariedMask) -> Iterator[str]:
    """In words, what of a mask, or of the limits of what is drawn, the record does not have."""
    if isinstance(mask, VariedMask):
        own = [make_mask(pattern, speed) for pattern in mask.patterns for speed in mask.acceleration]
    else:
        own = [mask]
    for one in own:
        speeds = [speed for pattern, speed in known.scans if type(make_mask(pattern, speed)) is type(one)]
        if not speeds:
            yield "masks of another family"
        elif not min(speeds) <= one.acceleration <= max(speeds):
            yield f"an acceleration of {one.acceleration:g}"


def _other_images(known: ScanRecord, own: Acquisition) -> Iterator[str]:
    """The same of noise and phase."""
    levels = {*getattr(own.noise, "levels", [own.noise.level])}
    if levels != {known.noise_level} or own.noise.unit != known.noise_unit:
        yield f"noise of {' to '.join(f'{level:g}' for level in sorted(levels))} ({own.noise.unit})"
    if own.phase.level != known.phase_level:
        yield f"a phase of {own.phase.level:g} radians"
