"""The figure of a slice's uncertainty: reconstruction, error, interval, and where the error leaves it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from ignite.engine import Events
from matplotlib.colors import Normalize
from matplotlib.figure import Figure
from monai.engines import SupervisedEvaluator

from ..data.prepared import PreparedVolumes
from ..data.slices import middle_of_the_head
from ..paths import path_of
from ..plotting import BACKGROUND, MUTED, dark_figure, save_figure
from .calibration import COVERAGE, half_width
from .figures import ERROR_COLOURS, WINDOW_PERCENTILE, fitting_factor, head_box, label_panel, window_end
from .volume_files import UNCERTAINTY

__all__ = ["UncertaintyFigures", "uncertainty_figure"]


class UncertaintyFigures:
    """Draw ``figures/<name>_uncertainty.png`` of each volume that has an uncertainty, of the comparison's slice.

    Args:
        volumes: what the evaluator's dataset serves.
        output_dir: gets the figures.
    """

    def __init__(self, volumes: PreparedVolumes, output_dir: str) -> None:
        self.volumes = volumes
        self.folder = path_of("output_dir", output_dir) / "figures"

    def attach(self, engine: SupervisedEvaluator) -> None:
        """Called by the evaluator."""
        engine.add_event_handler(Events.ITERATION_COMPLETED, self._draw)

    def _draw(self, engine: SupervisedEvaluator) -> None:
        for item, output in zip(engine.state.batch, engine.state.output):
            if UNCERTAINTY in output:
                volume = self.volumes[int(item["index"])]
                index = middle_of_the_head(volume.foreground)
                images = {"reference": item["reference"], "pred": output["pred"], "deviation": output[UNCERTAINTY]}
                slices = {name: image[0, ..., index].float().cpu().numpy() for name, image in images.items()}
                geometry = volume.geometry
                figure = uncertainty_figure(
                    slices, f"{volume.name}, slice {index + 1}", geometry.spacing, geometry.upright
                )
                save_figure(figure, self.folder / f"{volume.name}_{UNCERTAINTY}.png")


def uncertainty_figure(
    slices: Mapping[str, np.ndarray], title: str, spacing: tuple[float, float] = (1.0, 1.0), rot90: int = 1
) -> Figure:
    """Reconstruction; error and half the interval on one scale; and the voxels whose error is beyond it.

    Args:
        slices: ``reference``, ``pred`` and ``deviation``, each ``(h, w)``.
        title: free text.
        spacing, rot90: as in :func:`~bundle.evaluation.comparison_figure`.
    """
    box = head_box(slices["reference"])
    reference, pred, deviation = (np.rot90(slices[name][box], rot90) for name in ("reference", "pred", "deviation"))
    error, interval = np.abs(pred - reference), half_width() * deviation
    row_mm, column_mm = spacing if rot90 % 2 == 0 else spacing[::-1]
    white = window_end(reference, WINDOW_PERCENTILE)
    factor = fitting_factor(np.maximum(error, interval), white)
    height = 3 * reference.shape[0] * row_mm / (reference.shape[1] * column_mm)
    figure = dark_figure(12, height + 0.9)
    figure.set_layout_engine("constrained", rect=(0.005, 0.005, 0.99, 0.99 - 0.35 / (height + 0.9)))
    figure.text(0.012, 1 - 0.16 / (height + 0.9), title, color=MUTED, size=9.5, va="center", parse_math=False)
    inside = f"|error| beyond it, {np.mean((error > interval)[reference > 0.05 * white]):.1%} of the head"
    names = ("reconstruction", f"|error| × {factor:g}", f"{COVERAGE:.0%} interval × {factor:g}, to each side", inside)
    errors: dict[str, Any] = {"norm": Normalize(0, white / factor), "cmap": ERROR_COLOURS}
    grey: dict[str, Any] = {"vmin": 0, "vmax": white, "cmap": "gray"}
    shown = ((pred, grey), (error, errors), (interval, errors), (error > interval, {"cmap": "gray"}))
    panels = figure.subplots(1, 4, subplot_kw={"facecolor": BACKGROUND})
    for panel, name, (image, look) in zip(panels, names, shown):
        panel.set_axis_off()
        panel.imshow(image, aspect=row_mm / column_mm, **look)
        label_panel(panel, name)
    return figure
