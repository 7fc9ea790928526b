"""The picture that compares methods: what each made of one slice, a magnified detail, and errors on one scale."""

from __future__ import annotations

import textwrap
from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle
from numpy.typing import ArrayLike

from ..evaluation.figures import (
    ERROR_COLOURS,
    T1_WINDOW_PERCENTILE,
    WINDOW_PERCENTILE,
    draw_error_bar,
    fitting_factor,
    head_box,
    window_end,
)
from ..plotting import ACCENT, BACKGROUND, MUTED, SECOND, TEXT
from .detail import detail_box
from .page import page

__all__ = ["methods_figure"]

MOST_COLUMNS = 7  # of methods; more are broken into blocks of equal length
PAGE, NARROWEST, WIDEST = 12.5, 1.5, 2.3  # inches: the page's width, a panel's
CAPTIONS = {"psnr": "PSNR {:.2f} dB", "ssim": "SSIM {:.3f}"}
LETTERS = 11  # of a label, in an inch


def methods_figure(
    images: Mapping[str, ArrayLike],
    reference: ArrayLike,
    *,
    t1: ArrayLike | None = None,
    metrics: Mapping[str, Mapping[str, float]] | None = None,
    spacing: tuple[float, float] = (1.0, 1.0),
    rot90: int = 1,
) -> Figure:
    """One slice by all methods, a column each: reconstruction, its detail, its error; first the reference, then T1.

    The detail is the same for all methods and chosen from the reference alone (:mod:`bundle.study.detail`). All images
    but T1 share the reference's grey window, and all errors one scale, at which the median method's error fits; larger
    errors take the last colour.

    Args:
        images: label -> magnitude image ``(h, w)``; more than seven are broken into blocks one below the other.
        reference, t1: ``(h, w)``.
        metrics: label -> ``psnr`` in dB and ``ssim``, each optional; the best of each is marked.
        spacing, rot90: as in :func:`bundle.evaluation.figures.comparison_figure`.
    """
    reference = np.asarray(reference, dtype=np.float64)
    head = head_box(reference)

    def upright(image: ArrayLike) -> np.ndarray:
        return np.rot90(np.asarray(image, dtype=np.float64)[head], rot90)

    shown = {label: upright(image) for label, image in images.items()}
    lead = {"Reference": upright(reference)} | ({} if t1 is None else {"T1 (guide)": upright(t1)})
    row_mm, column_mm = spacing if rot90 % 2 == 0 else spacing[::-1]
    view = _View(lead["Reference"], list(shown.values()), (row_mm, column_mm))
    labels = list(shown)
    blocks = np.array_split(np.array(labels, dtype=object), max(1, -(-len(labels) // MOST_COLUMNS)))
    panels = _panels(len(blocks), len(lead) + len(blocks[0]), view.proportion)
    for block, rows in zip(blocks, panels):
        for label, column in zip(lead, rows.T):
            view.draw_image(column, label, lead[label], label != "Reference")
        view.draw_key(rows[2, len(lead) - 1], len(metrics or {}) > 1)
        for label, column in zip(block, rows.T[len(lead) :]):
            view.draw_image(column, label, shown[label])
            view.draw_error(column[2], shown[label])
            _draw_metrics(column[2], label, metrics or {})
    return panels[0, 0, 0].figure


def _panels(blocks: int, columns: int, proportion: float) -> np.ndarray:
    """Panels of a new page: block, row (image, detail, error), column."""
    width = float(np.clip(PAGE / columns, NARROWEST, WIDEST))
    height = width * float(np.clip(proportion, 0.5, 1.6))
    figure = page(columns * width, 0.9 + blocks * (2 * height + width + 0.8), "compressed")
    figure.get_layout_engine().set(w_pad=0.03, h_pad=0.03, wspace=0, hspace=0)
    panels = figure.subplots(3 * blocks, columns, squeeze=False, height_ratios=[height, width, height] * blocks)
    for panel in panels.flat:
        panel.set_axis_off()
        panel.set_facecolor(BACKGROUND)
    return panels.reshape(blocks, 3, columns)


class _View:
    """What all panels share: the grey window's and the errors' end, the detail, the shape of image and voxels."""

    def __init__(self, reference: np.ndarray, images: Sequence[np.ndarray], spacing: tuple[float, float]) -> None:
        self.reference = reference
        self.white = window_end(reference, WINDOW_PERCENTILE)
        self.factor = float(np.median([fitting_factor(np.abs(image - reference), self.white) for image in images]))
        self.detail = detail_box(reference, spacing)
        self.aspect = spacing[0] / spacing[1]
        self.proportion = reference.shape[0] * spacing[0] / (reference.shape[1] * spacing[1])

    def draw_image(self, column: Sequence[Axes], label: str, image: np.ndarray, own_window: bool = False) -> None:
        """The image with the detail's box, and the detail below it."""
        white = window_end(image, T1_WINDOW_PERCENTILE) if own_window else self.white
        lines = textwrap.fill(label, int(LETTERS * PAGE / MOST_COLUMNS))
        column[0].set_title(lines, color=TEXT, size=10, pad=5, linespacing=1.1, parse_math=False)
        for panel, part in zip(column, (image, image[self.detail])):
            panel.imshow(part, cmap="gray", vmin=0, vmax=white, aspect=self.aspect)
        self._draw_box(column[0])

    def draw_error(self, panel: Axes, image: np.ndarray) -> None:
        """How far the image is from the reference."""
        error, end = np.abs(image - self.reference), self.white / self.factor
        panel.imshow(error, vmin=0, vmax=end, cmap=ERROR_COLOURS, aspect=self.aspect)
        self._draw_box(panel)

    def draw_key(self, panel: Axes, marked: bool) -> None:
        """The errors' colours, in the place of the reference's error; whether the best metrics are marked."""
        draw_error_bar(panel.inset_axes((0.88, 0.04, 0.08, 0.96)), 100 / self.factor, extend="max")
        panel.child_axes[0].yaxis.set_ticks_position("left")
        panel.child_axes[0].tick_params(length=0, pad=4)
        _write_below(panel, "|error|, % of white", 0, TEXT)
        _write_below(panel, "blue: the best" if marked else "", 1, ACCENT)

    def _draw_box(self, panel: Axes) -> None:
        rows, columns = self.detail
        corner, size = (columns.start - 0.5, rows.start - 0.5), (columns.stop - columns.start, rows.stop - rows.start)
        panel.add_patch(Rectangle(corner, *size, fill=False, color=SECOND, linewidth=0.9))


def _draw_metrics(panel: Axes, label: str, metrics: Mapping[str, Mapping[str, float]]) -> None:
    for line, (name, text) in enumerate(CAPTIONS.items()):
        value = metrics.get(label, {}).get(name)
        if value is not None:
            known = [values[name] for values in metrics.values() if name in values and np.isfinite(values[name])]
            best = len(known) > 1 and value == max(known)
            text = text.format(value) if np.isfinite(value) else f"{name.upper()} not finite"
            _write_below(panel, text, line, ACCENT if best else MUTED)


def _write_below(panel: Axes, text: str, line: int, colour: str) -> None:
    below = {"xycoords": "axes fraction", "xytext": (0, -5 - 12 * line), "textcoords": "offset points"}
    panel.annotate(text, (0.5, 0), color=colour, size=9.5, ha="center", va="top", **below)
