"""Ignite handlers: what happens around an epoch or an evaluation, each named in a config's list of handlers."""

from __future__ import annotations

import logging
import math
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import numpy as np
from ignite.distributed import get_rank
from ignite.engine import Engine, Events
from ignite.handlers import ProgressBar
from monai.engines.utils import IterationEvents
from monai.handlers import IgniteMetricHandler, from_engine
from torch.utils.tensorboard import SummaryWriter

from .errors import BundleError
from .figures import comparison_figure, curves_figure, save_figure
from .flags import flag
from .masks import sampled_acceleration
from .metrics import DEFAULT_PROFILE, METRICS, VolumeMetric
from .prepared import PreparedVolumes
from .tables import config_hash, format_summary, summarise, write_metrics_csv, write_summary

__all__ = [
    "ComparisonFigures",
    "EpochSeed",
    "History",
    "LossProgress",
    "SaveReconstructions",
    "StopAtNonFiniteLoss",
    "SubjectTables",
    "loss_of",
    "volume_metric",
]

_logger = logging.getLogger(__name__)


def volume_metric(metric: str, of: str = "pred", profile: str = DEFAULT_PROFILE) -> IgniteMetricHandler:
    """A metric per volume for an evaluator.

    Args:
        metric: ``"nmse"``, ``"psnr"`` or ``"ssim"``.
        of: key of the image that is compared with ``label``, both ``(1, h, w, s)`` in the evaluator's output.
        profile: how the metric is defined (:mod:`bundle.metrics`).
    """
    return IgniteMetricHandler(metric_fn=VolumeMetric(metric, profile), output_transform=from_engine([of, "label"]))


class EpochSeed:
    """Tell dataset and sampler which epoch it is, so that masks, noise and order follow from seed and epoch.

    Args:
        listeners: objects with ``set_epoch``.
    """

    def __init__(self, listeners: Sequence) -> None:
        self.listeners = listeners

    def attach(self, engine: Engine) -> None:
        """Called by the trainer."""
        engine.add_event_handler(Events.EPOCH_STARTED, self._announce)

    def _announce(self, engine: Engine) -> None:
        for listener in self.listeners:
            listener.set_epoch(engine.state.epoch)


class StopAtNonFiniteLoss:
    """End a training whose loss is NaN or infinite, before it is saved.

    Raises:
        BundleError: with epoch and iteration.
    """

    def attach(self, engine: Engine) -> None:
        """Called by the trainer."""
        engine.add_event_handler(IterationEvents.LOSS_COMPLETED, self._check)

    def _check(self, engine: Engine) -> None:
        loss = float(engine.state.output["loss"])
        if not math.isfinite(loss):
            raise BundleError(
                f"The loss became {loss} in epoch {engine.state.epoch}, iteration {engine.state.iteration}: the "
                "training has diverged and was stopped; lower learning_rate, or go on from the last epoch with --resume true."
            )


class LossProgress(ProgressBar):
    """Progress bar of an epoch, with the loss."""

    def attach(self, engine: Engine) -> None:  # type: ignore[override]
        """Called by the trainer."""
        if get_rank() == 0:
            super().attach(engine, output_transform=loss_of)


def loss_of(output: Mapping) -> dict[str, float]:
    """The trainer's output to ``{"loss": number}``, for what shows it."""
    return {"loss": float(output["loss"])}


class History:
    """Record the mean training loss and the validation metrics of each epoch; draw them to ``figures/``.

    Args:
        output_dir: gets ``figures/training_curves.png``.
        evaluator: whose metrics are recorded.
        curves: where they are kept: name -> list of (epoch, value); shared with the checkpoint.
    """

    def __init__(self, output_dir: str, evaluator: Engine, curves: dict[str, list]) -> None:
        self.path = Path(str(output_dir)) / "figures" / "training_curves.png"
        self.evaluator = evaluator
        self.curves = curves
        self._losses: list[float] = []

    def attach(self, engine: Engine) -> None:
        """Called by the trainer, after its validation handler."""
        engine.add_event_handler(Events.ITERATION_COMPLETED, self._add)
        engine.add_event_handler(Events.EPOCH_COMPLETED, self._record)

    def _add(self, engine: Engine) -> None:
        self._losses.append(float(engine.state.output["loss"]))

    def _record(self, engine: Engine) -> None:
        values = {"loss": float(np.mean(self._losses))}
        if self.evaluator.state.epoch:
            values |= {name.removeprefix("val_"): float(value) for name, value in self.evaluator.state.metrics.items()}
        self._losses.clear()
        for name, value in values.items():
            self.curves.setdefault(name, []).append((engine.state.epoch, value))
        if get_rank() == 0:
            save_figure(curves_figure(self.curves, "Training"), self.path)


class SubjectTables:
    """Write ``metrics.csv`` and ``metrics_summary.json`` of an evaluation, and print the summary.

    Args:
        output_dir: gets the two files.
        volumes: what the evaluator's dataset serves.
        profile: metric profile, for the summary.
        settings: plain values that the figures depend on; they and their hash stand in the summary.
    """

    def __init__(self, output_dir: str, volumes: PreparedVolumes, profile: str, settings: Mapping) -> None:
        self.output_dir = Path(str(output_dir))
        self.volumes = volumes
        self.profile = profile
        self.settings = dict(settings)
        self._scans: list[tuple[int, float]] = []

    def attach(self, engine: Engine) -> None:
        """Called by the evaluator, before the metrics are computed."""
        engine.add_event_handler(Events.ITERATION_COMPLETED, self._add)
        engine.add_event_handler(Events.COMPLETED, self._write)

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
        write_metrics_csv(records, self.output_dir / "metrics.csv")
        write_summary(summary, self.output_dir / "metrics_summary.json")
        print(format_summary(summary))


class SaveReconstructions:
    """Hand each evaluated volume to transforms that write it.

    Args:
        transform: takes ``pred``, ``label``, ``zero_filled`` (1, h, w, s) and ``index``.
        enabled: False to write nothing.
    """

    def __init__(self, transform: Callable[[Mapping], object], enabled: bool = True) -> None:
        self.transform = transform
        self.enabled = flag("save_reconstructions", enabled)

    def attach(self, engine: Engine) -> None:
        """Called by the evaluator."""
        if self.enabled:
            engine.add_event_handler(Events.ITERATION_COMPLETED, self._save)

    def _save(self, engine: Engine) -> None:
        for item, output in zip(engine.state.batch, engine.state.output):
            self.transform({**item, **output})


class ComparisonFigures:
    """Draw each evaluated volume's most anatomical slice: T1, zero-filled, reconstruction, reference, errors, mask.

    Args:
        volumes: what the evaluator's dataset serves.
        output_dir: gets ``figures/<name>.png``; None for none.
        summary_writer: TensorBoard, where the figures of a training's validation go; None for none.
    """

    def __init__(
        self,
        volumes: PreparedVolumes,
        output_dir: str | None = None,
        summary_writer: SummaryWriter | None = None,
    ) -> None:
        self.volumes = volumes
        self.folder = None if output_dir is None else Path(str(output_dir)) / "figures"
        self.summary_writer = summary_writer

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

    def _figure(self, item: Mapping, output: Mapping):  # noqa: ANN202 - matplotlib's Figure
        volume = self.volumes[int(item["index"])]
        index = int(np.argmax(volume.foreground))
        images = {"t1": item["t1"], "zero_filled": item["zero_filled"], "reference": item["label"]}
        images |= {"reconstruction": output["pred"]}
        slices = {name: image[0, ..., index].float().cpu().numpy() for name, image in images.items()}
        scores = {name: _scores(image, item["label"]) for name, image in images.items()}
        affine = volume.geometry.matrix_affine
        return comparison_figure(
            **slices,
            mask=item["mask"].cpu().numpy(),
            title=volume.name,
            subtitle=f"slice {index + 1} of {len(volume)}; PSNR and SSIM of the whole volume",
            zero_filled_metrics=scores["zero_filled"],
            reconstruction_metrics=scores["reconstruction"],
            spacing=tuple(np.linalg.norm(affine[:3, :2], axis=0)),
            rot90=1 if affine[1, 1] >= 0 else -1,
        )


def _scores(image, reference) -> dict[str, float]:  # noqa: ANN001 - (1, h, w, s) tensors
    return {name: float(metric(image[0].cpu(), reference[0].cpu())) for name, metric in METRICS.items()}
