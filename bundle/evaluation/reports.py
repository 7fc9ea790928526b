"""A report of each reconstruction: how T1 was aligned, in one line; files, alignment, scan and weights, as JSON."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Protocol

from ignite.engine import Events
from monai.engines import SupervisedEvaluator

from ..acquisition.masks import sampled_acceleration
from ..data.prepared import PreparedVolume, PreparedVolumes
from ..outputs import atomic_path
from .alignment_columns import alignment_columns
from .postprocessing import output_name

__all__ = ["ReconstructionReports"]


class _OfFile(Protocol):
    path: Path


class ReconstructionReports:
    """Write ``<name>_recon.json`` beside each reconstruction, and print how T1 was aligned in one line.

    Args:
        output_dir: of the reconstructions.
        volumes: what the evaluator's dataset serves.
        settings: plain values that describe the scan.
        weights: of the network, with the ``path`` of their file; None for a network without any.
        postfix: of the reconstructions' names.
    """

    def __init__(
        self,
        output_dir: str,
        volumes: PreparedVolumes,
        settings: Mapping,
        weights: _OfFile | None = None,
        postfix: str = "recon",
    ) -> None:
        self.folder = Path(str(output_dir))
        self.volumes = volumes
        self.settings = dict(settings)
        self.weights = None if weights is None else str(weights.path)
        self.postfix = postfix

    def attach(self, engine: SupervisedEvaluator) -> None:
        """Called by the evaluator."""
        engine.add_event_handler(Events.ITERATION_COMPLETED, self._report)

    def _report(self, engine: SupervisedEvaluator) -> None:
        for item in engine.state.batch:
            volume = self.volumes[int(item["index"])]
            self._write(volume, sampled_acceleration(item["mask"]))
            print(f"{output_name(volume, self.postfix)}: {_sentence(volume.alignment)}")

    def _write(self, volume: PreparedVolume, acceleration: float) -> None:
        report = {
            "subject": volume.subject,
            "session": volume.session,
            "files": dict(volume.files),
            "reconstruction": output_name(volume, self.postfix),
            "alignment": dict(volume.alignment),
            "sampled_acceleration": acceleration,
            "settings": self.settings,
            "weights": self.weights,
        }
        with atomic_path(self.folder / output_name(volume, self.postfix, ".json")) as temporary:
            temporary.write_text(json.dumps(report, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")


def _sentence(alignment: Mapping) -> str:
    """How T1 was aligned, in one line."""
    _, degrees, shift, before, after = alignment_columns(alignment).values()
    return (
        f"T1 {alignment.get('note', 'was not registered')}; rotation {degrees:.2f} degrees, shift {shift:.2f} mm, "
        f"mutual information {before:.4f} -> {after:.4f}"
    )
