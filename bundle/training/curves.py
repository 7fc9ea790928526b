"""The curves of a training: recorded at each epoch, drawn to ``figures/training_curves.png``."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from ignite.distributed import get_rank
from ignite.engine import Events
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import LogLocator, MaxNLocator, NullFormatter
from monai.engines import SupervisedEvaluator, SupervisedTrainer

from ..paths import path_of
from ..plotting import ACCENT, BACKGROUND, MUTED, SECOND, TEXT, dark_figure, save_figure, style_curve

__all__ = ["History", "curves_figure"]


class History:
    """Record the mean training loss and the validation metrics of each epoch; draw them to ``figures/``.

    Args:
        output_dir: gets ``figures/training_curves.png``.
        evaluator: whose metrics are recorded.
        curves: where they are kept: name -> list of (epoch, value); shared with the checkpoint.
    """

    def __init__(self, output_dir: str, evaluator: SupervisedEvaluator, curves: dict[str, list]) -> None:
        self.path = path_of("output_dir", output_dir) / "figures" / "training_curves.png"
        self.evaluator = evaluator
        self.curves = curves
        self._losses: list[float] = []

    def attach(self, engine: SupervisedTrainer) -> None:
        """Called by the trainer, after its validation handler."""
        engine.add_event_handler(Events.ITERATION_COMPLETED, self._add)
        engine.add_event_handler(Events.EPOCH_COMPLETED, self._record)

    def _add(self, engine: SupervisedTrainer) -> None:
        self._losses.append(engine.state.output["loss"].item())

    def _record(self, engine: SupervisedTrainer) -> None:
        values = {"loss": float(np.mean(self._losses))}
        if self.evaluator.state.epoch == engine.state.epoch:  # not where val_interval leaves the epoch out
            values |= {name.removeprefix("val_"): float(value) for name, value in self.evaluator.state.metrics.items()}
        self._losses.clear()
        for name, value in values.items():
            self.curves.setdefault(name, []).append((engine.state.epoch, value))
        if get_rank() == 0:
            save_figure(curves_figure(self.curves, "Training"), self.path)


def curves_figure(history: Mapping[str, Sequence[tuple[float, float]]], title: str = "") -> Figure:
    """Training loss, and validation PSNR and SSIM with zero filling as a dashed line, over the same epochs.

    Args:
        history: (epoch, value) pairs under ``loss``, ``psnr``, ``ssim``, and ``zf_psnr``, ``zf_ssim`` of which the last
            value is drawn; each optional, and without a panel where it is missing.
        title: free text.
    """
    labels = {"loss": "Training loss", "psnr": "Validation PSNR [dB]", "ssim": "Validation SSIM"}
    labels = {name: label for name, label in labels.items() if name == "loss" or history.get(name)}
    figure = dark_figure(4.0 * len(labels), 3.9)
    figure.set_layout_engine("constrained", rect=(0.01, 0, 0.98, 1), w_pad=0.15, h_pad=0.12)
    figure.suptitle(title, x=0.02, ha="left", color=TEXT, size=13, weight="bold", parse_math=False)
    panels = figure.subplots(1, len(labels), sharex=True, squeeze=False, subplot_kw={"facecolor": BACKGROUND})
    for axes, (name, label) in zip(panels[0], labels.items()):
        points = np.array(history.get(name, ()), dtype=np.float64).reshape(-1, 2)
        colour = SECOND if name == "loss" else ACCENT
        axes.plot(*points.T, color=colour, linewidth=1.8, marker="o" if len(points) < 30 else None, markersize=3.5)
        if name == "loss" and len(points) and points[:, 1].max() > 5 * points[:, 1].min() > 0:
            axes.set_yscale("log")
            axes.yaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
            axes.yaxis.set_major_formatter("{x:g}")
            axes.yaxis.set_minor_formatter(NullFormatter())
        _draw_level(axes, history.get(f"zf_{name}", ()), points[-1, 1] if len(points) else 0.0)
        style_curve(axes, label, "epoch")
        axes.xaxis.set_major_locator(MaxNLocator(integer=True, nbins=6, min_n_ticks=1))
    return figure


def _draw_level(axes: Axes, points: Sequence[tuple[float, float]], end: float) -> None:
    """A dashed line, labelled on the side where the curve, which ends at ``end``, is not."""
    if len(points):
        level = points[-1][1]
        offset, side = (-4, "top") if end > level else (4, "bottom")
        axes.axhline(level, color=MUTED, linewidth=1.3, linestyle=(0, (5, 4)))
        place: dict[str, Any] = {
            "xycoords": ("axes fraction", "data"),
            "xytext": (-2, offset),
            "textcoords": "offset points",
        }
        axes.annotate(f"zero-filled {level:.4g}", (1, level), ha="right", va=side, color=MUTED, size=9, **place)
