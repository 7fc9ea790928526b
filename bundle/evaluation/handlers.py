"""What an evaluation writes: tables, figures and volumes, by handlers of the evaluator."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from time import perf_counter
from typing import Any, Protocol

import torch
from ignite.engine import Events
from matplotlib.figure import Figure
from monai.engines import SupervisedEvaluator
from monai.engines.utils import IterationEvents

from ..acquisition.masks import accelerations
from ..data.prepared import PreparedVolumes
from ..data.slices import middle_of_the_head
from ..paths import path_of
from ..plotting import save_figure
from ..settings import flag, plain
from .alignment_columns import alignment_columns
from .figures import comparison_figure
from .metrics import METRICS, ZERO_FILLED
from .tables import GUIDE_ERROR, config_hash, format_summary, summarise, write_metrics_csv, write_summary
from .volume_metric import SCORES

__all__ = ["ComparisonFigures", "SaveReconstructions", "SubjectTables"]


class Figures(Protocol):
    """Where figures go: TensorBoard's ``SummaryWriter``, and what is like it."""

    def add_figure(self, tag: str, figure: Figure, global_step: int) -> None:
        """Take a figure of an epoch."""


class Recorded(Protocol):
    """Weights that tell their file, network and checksum."""

    def record(self) -> dict[str, Any]:
        """Which weights these are, as plain values."""


class SubjectTables:
    """Write ``metrics.csv`` and ``metrics_summary.json`` of an evaluation, and print the summary.

    The metrics are those that :class:`~bundle.evaluation.VolumeMetricHandler` leaves in the output of each volume.

    Args:
        output_dir: gets the two files.
        volumes: what the evaluator's dataset serves.
        profile: metric profile, for the summary.
        settings: plain values that the figures depend on; they and their hash stand in the summary.
        network_name: the network's, for the printed summary.
        weights: of the network, with the ``record`` that stands in the summary; None for a network without any.
    """

    def __init__(
        self,
        output_dir: str,
        volumes: PreparedVolumes,
        profile: str,
        settings: Mapping,
        network_name: str = "MANet",
        weights: Recorded | None = None,
    ) -> None:
        self.output_dir = path_of("output_dir", output_dir)
        self.volumes = volumes
        self.profile = profile
        self.settings = dict(settings)
        self.network_name = network_name
        self.weights = None if weights is None else weights.record()
        self._records: list[dict[str, Any]] = []
        self._seconds = 0.0  # the network's alone, not those of data and metrics
        self._started = 0.0

    def attach(self, engine: SupervisedEvaluator) -> None:
        """Called by the evaluator, after it has attached its metrics."""
        engine.add_event_handler(Events.ITERATION_STARTED, self._start_clock)
        engine.add_event_handler(IterationEvents.FORWARD_COMPLETED, self._stop_clock)
        engine.add_event_handler(Events.ITERATION_COMPLETED, self._add)
        engine.add_event_handler(Events.COMPLETED, self._write)

    def _start_clock(self, engine: SupervisedEvaluator) -> None:
        self._started = perf_counter()

    def _stop_clock(self, engine: SupervisedEvaluator) -> None:
        if torch.device(engine.state.device).type == "cuda":
            torch.cuda.synchronize(engine.state.device)
        self._seconds += perf_counter() - self._started

    def _add(self, engine: SupervisedEvaluator) -> None:
        for item, output in zip(engine.state.batch, engine.state.output):
            volume = self.volumes[int(item["index"])]
            record = {"subject": volume.subject, "slices": len(volume)}
            record |= accelerations(item)
            record |= {GUIDE_ERROR: float(item[GUIDE_ERROR])} if GUIDE_ERROR in item else {}
            self._records.append(record | output[SCORES] | alignment_columns(volume.alignment))

    def _write(self, engine: SupervisedEvaluator) -> None:
        records, self._records = self._records, []
        summary = summarise(records, self.profile, config_hash(self.settings)) | {"settings": self.settings}
        summary["weights"] = self.weights
        summary["parameters"] = sum(parameter.numel() for parameter in engine.network.parameters())
        summary["seconds_per_slice"] = self._seconds / summary["slices"]
        write_metrics_csv(records, self.output_dir / "metrics.csv")
        write_summary(summary, self.output_dir / "metrics_summary.json")
        print(format_summary(summary, self.network_name))
        self._seconds = 0.0


class SaveReconstructions:
    """Hand each evaluated volume to transforms that write it.

    Args:
        transform: takes ``pred``, ``reference``, ``zero_filled``, ``t1`` (1, h, w, s) and ``index``.
        enabled: False to write nothing.
        at_most: so many volumes, the first of the list; None for all.
    """

    def __init__(
        self, transform: Callable[[Mapping], object], enabled: bool = True, at_most: int | None = None
    ) -> None:
        self.transform = transform
        self.enabled = flag("save_reconstructions", enabled)
        self.at_most: Any = plain(at_most)

    def attach(self, engine: SupervisedEvaluator) -> None:
        """Called by the evaluator."""
        if self.enabled:
            engine.add_event_handler(Events.ITERATION_COMPLETED, self._save)

    def _save(self, engine: SupervisedEvaluator) -> None:
        for item, output in zip(engine.state.batch, engine.state.output):
            if self.at_most is None or int(item["index"]) < self.at_most:
                self.transform({**item, **output})


class ComparisonFigures:
    """Draw a slice in the middle of each evaluated head: T1, zero-filled, reconstruction, reference, errors, mask.

    The captions are the volume's metrics, as :class:`~bundle.evaluation.VolumeMetricHandler` leaves them in the output.

    Args:
        volumes: what the evaluator's dataset serves.
        output_dir: gets ``figures/<name>.png``; None for none.
        summary_writer: TensorBoard, where the figures of a training's validation go; None for none.
        network_name: label of the reconstruction.
        at_most: so many volumes, the first of the list; None for all.
    """

    def __init__(
        self,
        volumes: PreparedVolumes,
        output_dir: str | None = None,
        summary_writer: Figures | None = None,
        network_name: str = "MANet",
        at_most: int | None = None,
    ) -> None:
        self.volumes = volumes
        self.folder = None if output_dir is None else path_of("output_dir", output_dir) / "figures"
        self.summary_writer = summary_writer
        self.network_name = network_name
        self.at_most = at_most

    def attach(self, engine: SupervisedEvaluator) -> None:
        """Called by the evaluator."""
        engine.add_event_handler(Events.ITERATION_COMPLETED, self._draw)

    def _draw(self, engine: SupervisedEvaluator) -> None:
        for item, output in zip(engine.state.batch, engine.state.output):
            if self.at_most is not None and int(item["index"]) >= self.at_most:
                continue
            figure = self._figure(item, output)
            name = self.volumes[int(item["index"])].name
            if self.folder is not None:
                save_figure(figure, self.folder / f"{name}.png")
            if self.summary_writer is not None:
                self.summary_writer.add_figure(name, figure, engine.state.epoch)

    def _figure(self, item: Mapping, output: Mapping) -> Figure:
        volume = self.volumes[int(item["index"])]
        index = middle_of_the_head(volume.foreground)
        images = {"t1": item["t1"], "zero_filled": item["zero_filled"], "reference": item["reference"]}
        images |= {"reconstruction": output["pred"]}
        slices = {name: image[0, ..., index].float().cpu().numpy() for name, image in images.items()}
        scores = output.get(SCORES, {})
        return comparison_figure(
            **slices,
            mask=item["mask"].cpu().numpy(),
            title=volume.name,
            subtitle=f"slice {index + 1} of {len(volume)}; PSNR and SSIM of the whole volume",
            zero_filled_metrics={name: scores[key] for name in METRICS if (key := ZERO_FILLED + name) in scores},
            reconstruction_metrics={name: scores[name] for name in METRICS if name in scores},
            spacing=volume.geometry.spacing,
            rot90=volume.geometry.upright,
            network_name=self.network_name,
        )
