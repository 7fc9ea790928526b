"""Calibration of the uncertainty, by subject, in a file beside the weights that is taken by their checksum.

The variance of a voxel is a sum of squared spreads (:mod:`.spreads`), each times a number from 0 on, the *parts*; one
factor then widens the interval until it holds what it promises. Parts and factor are fitted to the errors of
reconstructions with known references (:mod:`.calibration_fit`); at run time they are numbers in a file.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Annotated, Any, Protocol

from pydantic import Field, NonNegativeFloat, PositiveFloat, TypeAdapter
from scipy import stats
from torch import Tensor

from ..acquisition import Acquisition
from ..errors import BundleError
from ..outputs import write_text
from ..settings import flag
from .coverage_scans import ScanRecord, tell_unlike
from .spreads import SPREADS

__all__ = [
    "COVERAGE",
    "Calibration",
    "calibration_of",
    "half_width",
    "path_beside",
    "read_calibration",
    "read_calibrations",
    "spreads_of",
]

COVERAGE = 0.9  # of the errors, in the interval that is calibrated
BOTH = ("t1", "t2")  # contrasts that the network is shown
T2_ALONE = ("t2",)


class Recorded(Protocol):
    """Weights that tell their file and checksum."""

    def record(self) -> dict[str, Any]:
        """``file`` and ``sha256``, among others."""


@dataclass(frozen=True)
class Calibration:
    """What makes a standard deviation of spreads.

    Attributes:
        sha256: of the weights.
        parts: the weight of each squared spread; those of weight 0 are not computed.
        factor: on the square root of their sum.
        coverage: the share of errors in the interval of :func:`half_width` standard deviations to each side.
        subjects: whom it was fitted to.
        trained_on: whether the weights were trained on them.
        scanned: how they were; None of earlier versions.
    """

    sha256: str
    parts: Mapping[str, NonNegativeFloat]
    factor: PositiveFloat
    coverage: Annotated[float, Field(gt=0, lt=1)]
    subjects: Sequence[str]
    trained_on: bool
    scanned: ScanRecord | None = None

    @property
    def spreads(self) -> list[str]:
        """The names of those that are needed."""
        return [name for name, part in self.parts.items() if part > 0]

    def deviation(self, squares: Mapping[str, Tensor]) -> Tensor:
        """Squared spreads to the standard deviation, in the units of their roots."""
        return self.factor * sum(self.parts[name] * squares[name] for name in self.spreads) ** 0.5

    def record(self) -> dict[str, Any]:
        """For a report."""
        return asdict(self) | {"interval": f"plus and minus {half_width(self.coverage):.4g} standard deviations"}

    def write(self, path: Path) -> None:
        """Write it where :func:`read_calibration` finds it, if that is beside its weights."""
        write_text(path, json.dumps(asdict(self), indent=2) + "\n")


def half_width(coverage: float = COVERAGE) -> float:
    """Of an interval that holds this share of normal deviates, in standard deviations: 1.645 for 0.9."""
    return float(stats.norm.ppf((1 + coverage) / 2))


def path_beside(weights: str | Path, visible: Sequence[str] = BOTH) -> Path:
    """``models/model.pt`` to ``models/model_uncertainty.json``, where T1 is hidden to ``model_uncertainty_t2.json``."""
    hidden = "" if _shows_t1(visible) else "_t2"
    return Path(weights).with_name(f"{Path(weights).stem}_uncertainty{hidden}.json")


def spreads_of(visible: Sequence[str]) -> list[str]:
    """The names of those that there are of such scans: nothing changes without T1 where it is hidden.

    Raises:
        BundleError: T2 is hidden.
    """
    return [name for name in SPREADS if name != "without_t1" or _shows_t1(visible)]


def read_calibrations(
    weights: Recorded | None,
    enabled: bool = True,
    visible: Sequence[str] = BOTH,
    check_guide: bool = False,
    acquisition: Acquisition | None = None,
) -> list[Calibration]:
    """Those that a run needs, for :func:`calibration_of`; none where no uncertainty is asked for.

    Args:
        weights: of the network.
        enabled: whether it is asked for.
        visible: the contrasts that the network is shown.
        check_guide: whether T1 may be left out of some volumes.
        acquisition: of the run; a line tells where it is none of those that were calibrated on.

    Raises:
        BundleError: as :func:`read_calibration`.
    """
    if not flag("save_uncertainty", enabled):
        return []
    scans = [visible, T2_ALONE] if flag("check_guide", check_guide) and _shows_t1(visible) else [visible]
    found = [read_calibration(weights, shown) for shown in scans]
    if acquisition is not None and found[0].scanned is not None:
        tell_unlike(found[0].scanned, acquisition)
    return found


def calibration_of(calibrations: Sequence[Calibration], image: Tensor) -> Calibration:
    """The one of :func:`read_calibrations` for a volume, by whether its k-spaces ``(4, h, w, s)`` hold any T1."""
    return calibrations[0] if image[:2].any() else calibrations[-1]


def read_calibration(weights: Recorded | None, visible: Sequence[str] = BOTH) -> Calibration:
    """That of the file beside the weights, of scans with T1 or without.

    Raises:
        BundleError: there is none, it cannot be read, it is of other weights, or T2 is hidden.
    """
    alone = "" if _shows_t1(visible) else " for T2 alone"
    if weights is None:
        raise BundleError("A method without weights has no calibration, so leave out save_uncertainty.")
    record = weights.record()
    path = path_beside(record["file"], visible)
    mend = "calibrate them as docs/uncertainty.md says, or leave out save_uncertainty"
    if not path.is_file():
        raise BundleError(f"The weights {record['file']} have no calibration{alone}, which would be {path}; {mend}.")
    try:
        found = TypeAdapter(Calibration).validate_json(path.read_bytes())
        if not found.spreads:
            raise ValueError("no part above 0")
    except (OSError, ValueError) as error:
        raise BundleError(f"The calibration {path} cannot be read; {mend}.") from error
    if unknown := set(found.parts) - set(SPREADS):
        other = f"of another version of this bundle, and has {', '.join(sorted(unknown))}"
        raise BundleError(f"The calibration {path} is {other}, not {', '.join(SPREADS)}; {mend}.")
    if ("without_t1" in found.parts) != _shows_t1(visible):
        other = f"of scans {'of T2 alone' if _shows_t1(visible) else 'with T1'}, and these are not"
        raise BundleError(f"The calibration {path} is {other}; {mend}.")
    if found.sha256 != record["sha256"]:
        other = f"SHA-256 {found.sha256[:12]}, not {record['sha256'][:12]}"
        raise BundleError(f"The calibration {path} is of other weights than {record['file']} ({other}); {mend}.")
    return found


def _shows_t1(visible: Sequence[str]) -> bool:
    """Whether the network is shown T1; BundleError where it is not shown T2."""
    shown = [visible] if isinstance(visible, str) else list(visible)
    if "t2" not in shown:
        raise BundleError(
            f"The uncertainty is that of T2's reconstruction, and visible {shown} hides T2; leave out save_uncertainty "
            "and coverage."
        )
    return "t1" in shown
