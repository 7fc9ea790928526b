"""What an evaluation measures and leaves behind: metrics, tables, figures, volumes; handlers of the evaluator."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from time import perf_counter

import numpy as np
import torch
from ignite.engine import Engine, Events
from matplotlib.figure import Figure
from monai.engines.utils import IterationEvents
from monai.handlers import IgniteMetricHandler, from_engine
from torch import Tensor
from torch.utils.tensorboard import SummaryWriter

from ..acquisition.masks import sampled_acceleration
from ..data.prepared import PreparedVolumes
from ..data.slices import middle_of_the_head
from ..plotting import save_figure
from ..settings import flag, plain
from .figures import comparison_figure
from .metrics import DEFAULT_PROFILE, METRICS, VolumeMetric
from .tables import config_hash, format_summary, summarise, write_metrics_csv, write_summary

__all__ = ["ComparisonFigures", "SaveReconstructions", "SubjectTables", "volume_metric"]


def volume_metric(metric: str, of: str = "pred", profile: str = DEFAULT_PROFILE) -> IgniteMetricHandler:
    """A metric per volume for an evaluator.

    Args:
        metric: ``"nmse"``, ``"psnr"`` or ``"ssim"``.
        of: key of the image that is compared with ``label``, both ``(1, h, w, s)`` in the evaluator's output.
        profile: how the metric is defined (:mod:`bundle.evaluation.metrics`).
    """
    return IgniteMetricHandler(metric_fn=VolumeMetric(metric, profile), output_transform=from_engine([of, "label"]))


class SubjectTables:
    """Write ``metrics.csv`` and ``metrics_summary.json`` of an evaluation, and print the summary.

    Args:
        output_dir: gets the two files.
        volumes: what the evaluator's dataset serves.
        profile: metric profile, for the summary.
        settings: plain values that the figures depend on; they and their hash stand in the summary.
        network_name: the network's, for the printed summary.
    """

    def __init__(
        self,
        output_dir: str,
        volumes: PreparedVolumes,
        profile: str,
        settings: Mapping,
        network_name: str = "MANet",
    ) -> None:
        self.output_dir = Path(str(output_dir))
        self.volumes = volumes
        self.profile = profile
        self.settings = dict(settings)
        self.network_name = network_name
        self._scans: list[tuple[int, float]] = []
        self._seconds = 0.0  # the network's alone, not those of data and metrics
        self._started = 0.0

    def attach(self, engine: Engine) -> None:
        """Called by the evaluator, before the metrics are computed."""
        engine.add_event_handler(Events.ITERATION_STARTED, self._start_clock)
        engine.add_event_handler(IterationEvents.FORWARD_COMPLETED, self._stop_clock)
        engine.add_event_handler(Events.ITERATION_COMPLETED, self._add)
        engine.add_event_handler(Events.COMPLETED, self._write)

    def _start_clock(self, engine: Engine) -> None:
        self._started = perf_counter()

    def _stop_clock(self, engine: Engine) -> None:
        if torch.device(engine.state.device).type == "cuda":
            torch.cuda.synchronize(engine.state.device)
        self._seconds += perf_counter() - self._started

    def _add(self, engine: Engine) -> None:
        for item in engine.state.batch:
            self._scans.append((int(item["index"]), sampled_acceleration(item["mask"])))

    def _write(self, engine: Engine) -> None:
        details = {name.removeprefix("val_"): values for name, values in engine.state.metric_details.items()}
        records = []
        for row, (index, acceleration) in enumerate(self._scans):
            volume = self.volumes[index]
            record = {"subject": volume.subject, "session": volume.name, "slices": len(volume)}
            record |= {"acceleration": acceleration}
            record |= {name: float(values[row]) for name, values in details.items()}
            records.append(record)
        summary = summarise(records, self.profile, config_hash(self.settings)) | {"settings": self.settings}
        summary["parameters"] = sum(parameter.numel() for parameter in engine.network.parameters())
        summary["seconds_per_slice"] = self._seconds / summary["slices"]
        write_metrics_csv(records, self.output_dir / "metrics.csv")
        write_summary(summary, self.output_dir / "metrics_summary.json")
        print(format_summary(summary, self.network_name))
        self._scans.clear()
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
        self.at_most = plain(at_most)

    def attach(self, engine: Engine) -> None:
        """Called by the evaluator."""
        if self.enabled:
            engine.add_event_handler(Events.ITERATION_COMPLETED, self._save)

    def _save(self, engine: Engine) -> None:
        for item, output in zip(engine.state.batch, engine.state.output):
            if self.at_most is None or int(item["index"]) < self.at_most:
                self.transform({**item, **output})


class ComparisonFigures:
    """Draw a slice in the middle of each evaluated head: T1, zero-filled, reconstruction, reference, errors, mask.

    Args:
        volumes: what the evaluator's dataset serves.
        output_dir: gets ``figures/<name>.png``; None for none.
        summary_writer: TensorBoard, where the figures of a training's validation go; None for none.
        profile: metric profile of the figures' captions.
        network_name: label of the reconstruction.
    """

    def __init__(
        self,
        volumes: PreparedVolumes,
        output_dir: str | None = None,
        summary_writer: SummaryWriter | None = None,
        profile: str = DEFAULT_PROFILE,
        network_name: str = "MANet",
    ) -> None:
        self.volumes = volumes
        self.folder = None if output_dir is None else Path(str(output_dir)) / "figures"
        self.summary_writer = summary_writer
        self.profile = profile
        self.network_name = network_name

    def attach(self, engine: Engine) -> None:
        """Called by the evaluator."""
        engine.add_event_handler(Events.ITERATION_COMPLETED, self._draw)

    def _draw(self, engine: Engine) -> None:
        for item, output in zip(engine.state.batch, engine.state.output):
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
        affine = volume.geometry.matrix_affine
        return comparison_figure(
            **slices,
            mask=item["mask"].cpu().numpy(),
            title=volume.name,
            subtitle=f"slice {index + 1} of {len(volume)}; PSNR and SSIM of the whole volume",
            zero_filled_metrics=self._scores(images["zero_filled"], item["reference"]),
            reconstruction_metrics=self._scores(images["reconstruction"], item["reference"]),
            spacing=tuple(np.linalg.norm(affine[:3, :2], axis=0)),
            rot90=1 if affine[1, 1] >= 0 else -1,
            network_name=self.network_name,
        )

    def _scores(self, image: Tensor, reference: Tensor) -> dict[str, float]:
        """All metrics of one volume, both ``(1, h, w, s)``."""
        pair = image[0].cpu(), reference[0].cpu()
        return {name: float(metric(*pair, self.profile)) for name, metric in METRICS.items()}
