"""A report of each reconstruction: how T1 was aligned, in one line; files, alignment, scan and weights, as JSON."""

from __future__ import annotations

import json
import logging
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol

from ignite.engine import Events
from monai.engines import SupervisedEvaluator

from ..acquisition.masks import accelerations
from ..data.prepared import PreparedVolumes
from ..outputs import write_whole
from ..paths import path_of
from .calibration import Calibration, calibration_of
from .volume_files import SUFFIX, UNCERTAINTY

__all__ = ["ReconstructionReports", "tell_of_earlier", "write_report"]

_logger = logging.getLogger(__name__)


class _OfFile(Protocol):
    def record(self) -> dict[str, Any]:
        """Which weights these are, as plain values."""


class ReconstructionReports:
    """Write ``<name>_recon.json`` beside each reconstruction, and log in one line whether T1 was registered.

    Args:
        output_dir: of the reconstructions.
        volumes: what the evaluator's dataset serves.
        settings: plain values that describe the scan.
        weights: of the network, with the ``record`` that is reported; None for a network without any.
        postfix: of the reconstructions' names.
        output_format: ``nifti``, or ``dicom``, which makes them folders.
        calibrations: of the uncertainty that is written, too; none where none is.
    """

    def __init__(
        self,
        output_dir: str,
        volumes: PreparedVolumes,
        settings: Mapping,
        weights: _OfFile | None = None,
        postfix: str = "recon",
        output_format: str = "nifti",
        calibrations: Sequence[Calibration] = (),
    ) -> None:
        self.folder = path_of("output_dir", output_dir)
        self.volumes = volumes
        self.settings = dict(settings)
        self.weights = None if weights is None else weights.record()
        self.postfix = postfix
        self.suffix = SUFFIX if output_format == "nifti" else ""
        self.calibrations = calibrations

    def attach(self, engine: SupervisedEvaluator) -> None:
        """Called by the evaluator."""
        engine.add_event_handler(Events.ITERATION_COMPLETED, self._report)

    def _report(self, engine: SupervisedEvaluator) -> None:
        for item in engine.state.batch:
            report = self.report_of(item)
            name = report["reconstruction"]
            write_report(self.folder / (name.removesuffix(SUFFIX) + ".json"), report)
            _logger.info("%s: T1 %s", name, report["alignment"].get("note", "was not registered"))
            if not self.calibrations:
                stem = self.volumes[int(item["index"])].output_stem
                tell_of_earlier(self.folder / f"{stem}_{UNCERTAINTY}{SUFFIX}")

    def report_of(self, item: Mapping) -> dict[str, Any]:
        """The report of a volume, which ``item`` of the evaluator's batch tells by its ``index`` and ``mask``.

        Where there is an uncertainty, its ``image`` tells whether T1 was used.
        """
        volume = self.volumes[int(item["index"])]
        report = {
            "subject": volume.subject,
            "session": volume.session,
            "files": dict(volume.files),
            "reconstruction": f"{volume.output_stem}_{self.postfix}{self.suffix}",
            "alignment": dict(volume.alignment),
            **accelerations(item),
            "settings": self.settings,
            "weights": self.weights,
        }
        if "guide_error" in item:
            error = float(item["guide_error"])
            report["guide_check"] = {"error_with_t1_over_without": error, "t1_used": error < 1}
        if self.calibrations:
            file = f"{volume.output_stem}_{UNCERTAINTY}{SUFFIX}"
            report["uncertainty"] = {"file": file} | calibration_of(self.calibrations, item["image"]).record()
        return report


def tell_of_earlier(uncertainty: Path) -> None:
    """Warn of the file that an earlier run left beside a reconstruction which was written without any."""
    if uncertainty.exists():
        _logger.warning("%s is of an earlier run, not of this reconstruction; delete it", uncertainty)


def write_report(path: Path, report: Mapping[str, Any]) -> None:
    """Write a report as JSON; what no encoding can decode in a path becomes JSON's own escape."""
    text = json.dumps(report, indent=2, ensure_ascii=False) + "\n"
    write_whole(path, text.encode("utf-8", "backslashreplace"))
