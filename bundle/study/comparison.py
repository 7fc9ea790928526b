"""The picture that compares methods: what each made of one slice, a magnified detail, and errors on one scale."""

from __future__ import annotations

import textwrap
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import Normalize
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
from .page import HEADER, titled_figure

__all__ = ["methods_figure"]

MOST_COLUMNS = 7  # of methods; more are broken into blocks of equal length
CAPTIONS = {"psnr": "PSNR {:.2f} dB", "ssim": "SSIM {:.3f}"}

# All lengths in inches.
PAGE, NARROWEST, WIDEST, GAP, MARGIN = 12.5, 1.5, 2.3, 0.07, 0.25
LINE, LABEL_SIZE, CAPTION_SIZE, BETWEEN = 0.165, 10, 9.5, 0.25


def methods_figure(
    images: Mapping[str, ArrayLike],
    reference: ArrayLike,
    mask: ArrayLike | None = None,
    *,
    t1: ArrayLike | None = None,
    metrics: Mapping[str, Mapping[str, float]] | None = None,
    title: str = "",
    subtitle: str = "",
    spacing: tuple[float, float] = (1.0, 1.0),
    rot90: int = 1,
    error_factor: float | None = None,
) -> Figure:
    """One slice by all methods, a column each: reconstruction, its detail, its error; first the reference, then T1.

    The detail is the same for all methods and chosen from the reference alone (:mod:`bundle.study.detail`). All images
    but T1 share the reference's grey window, and all errors one scale.

    Args:
        images: label -> magnitude image ``(h, w)``; more than seven are broken into blocks one below the other.
        reference, t1: ``(h, w)``.
        mask: sampled points of k-space ``(h, w)``, zero frequency in the middle; None for none.
        metrics: label -> ``psnr`` in dB and ``ssim``, each optional; the best of each is marked.
        title, subtitle: free text.
        spacing, rot90: as in :func:`bundle.evaluation.figures.comparison_figure`.
        error_factor: the errors' scale ends at the grey window's end divided by this; default: chosen so that the
            median method's error fits. Larger errors take the last colour.
    """
    reference = np.asarray(reference, dtype=np.float64)
    head = head_box(reference)
    upright = {label: np.rot90(np.asarray(image, dtype=np.float64)[head], rot90) for label, image in images.items()}
    reference = np.rot90(reference[head], rot90)
    lead = {"Reference": reference}
    if t1 is not None:
        lead["T1 (guide)"] = np.rot90(np.asarray(t1, dtype=np.float64)[head], rot90)
    view = _View.of(reference, list(upright.values()), spacing if rot90 % 2 == 0 else spacing[::-1], error_factor)
    page = _Page.of(list(upright), len(lead), view)
    figure = titled_figure(*page.size, title, subtitle)
    for number, labels in enumerate(page.blocks):
        keys = []
        for column, (label, image) in enumerate(lead.items()):
            white = view.white if column == 0 else window_end(image, T1_WINDOW_PERCENTILE)
            cells = page.cells(figure, number, column)
            _draw_image(cells, page.wrapped(label), image, white, view)
            keys.append(cells[2])
        _draw_keys(keys, view, mask)
        if len(metrics or {}) > 1:
            _write_below(keys[-1], "blue: the best", 1, ACCENT)
        for column, label in enumerate(labels, len(lead)):
            cells = page.cells(figure, number, column)
            _draw_image(cells, page.wrapped(label), upright[label], view.white, view)
            _draw_error(cells[2], np.abs(upright[label] - reference), view)
            _draw_metrics(cells[2], label, metrics or {})
    return figure


@dataclass(frozen=True)
class _View:
    """What all panels share: the grey window's and the errors' end, the detail, the shape of image and voxels."""

    white: float
    factor: float
    detail: tuple[slice, slice]
    aspect: float
    proportion: float  # height by width, in mm

    @classmethod
    def of(
        cls, reference: np.ndarray, images: Sequence[np.ndarray], spacing: tuple[float, float], factor: float | None
    ) -> _View:
        """What suits all images: the reference's white, and the median of the errors' factors, unless one is given."""
        white = window_end(reference, WINDOW_PERCENTILE)
        factors = [fitting_factor(np.abs(image - reference), white) for image in images]
        row_mm, column_mm = spacing
        proportion = reference.shape[0] * row_mm / (reference.shape[1] * column_mm)
        factor = factor or float(np.median(factors)) if factors else 1.0
        return cls(white, factor, detail_box(reference, spacing), row_mm / column_mm, proportion)


@dataclass(frozen=True)
class _Page:
    """Where the panels lie: blocks below each other, of columns with an image, its detail and its error."""

    blocks: list[list[str]]
    lead: int
    panel: float  # width
    height: float
    lines: int  # of the longest label

    @classmethod
    def of(cls, labels: list[str], lead: int, view: _View) -> _Page:
        """As few blocks as hold all labels, of like length."""
        count = max(1, -(-len(labels) // MOST_COLUMNS))
        blocks = [[str(label) for label in block] for block in np.array_split(np.array(labels, dtype=object), count)]
        panel = float(np.clip(PAGE / (lead + len(blocks[0])), NARROWEST, WIDEST))
        page = cls(blocks, lead, panel, panel * float(np.clip(view.proportion, 0.5, 1.6)), 1)
        return cls(blocks, lead, panel, page.height, max(page.wrapped(label).count("\n") + 1 for label in labels))

    @property
    def size(self) -> tuple[float, float]:
        """Width and height of the page, in inches."""
        columns = self.lead + len(self.blocks[0])
        width = 2 * MARGIN + columns * self.panel + (columns - 1) * GAP
        return max(width, 6.0), HEADER + len(self.blocks) * self.block_height + MARGIN - BETWEEN

    @property
    def block_height(self) -> float:
        """Of the three rows of a block with their labels, in inches."""
        return self.lines * LINE + 0.1 + 2 * self.height + self.panel + 2 * GAP + 2 * LINE + 0.1 + BETWEEN

    def wrapped(self, label: str) -> str:
        """The label in lines of like length that fit the panel; a letter is about 0.6 of the font's size wide."""
        width = int(self.panel * 72 / (0.6 * LABEL_SIZE))
        fewest = len(textwrap.wrap(label, width))
        even = next((part for part in range(6, width) if len(textwrap.wrap(label, part)) == fewest), width)
        return "\n".join(textwrap.wrap(label, even)) or label

    def cells(self, figure: Figure, block: int, column: int) -> list[Axes]:
        """Three new panels: image, detail, error."""
        left = MARGIN + column * (self.panel + GAP)
        edge = self.size[1] - HEADER - block * self.block_height - self.lines * LINE - 0.1
        panels = []
        for height in (self.height, self.panel, self.height):
            edge -= height
            box = np.array([left, edge, self.panel, height]) / np.array([*self.size, *self.size])
            panels.append(figure.add_axes(tuple(box), facecolor=BACKGROUND))
            panels[-1].set_axis_off()
            edge -= GAP
        return panels


def _draw_image(cells: Sequence[Axes], label: str, image: np.ndarray, white: float, view: _View) -> None:
    style = {"cmap": "gray", "vmin": 0, "vmax": white, "aspect": view.aspect}
    cells[0].imshow(image, **style)
    cells[0].set_title(label, color=TEXT, size=LABEL_SIZE, pad=5, linespacing=1.1, parse_math=False)
    cells[1].imshow(image[view.detail], **style)
    _draw_box(cells[0], view.detail)


def _draw_error(panel: Axes, error: np.ndarray, view: _View) -> None:
    panel.imshow(error, norm=Normalize(0, view.white / view.factor), cmap=ERROR_COLOURS, aspect=view.aspect)
    _draw_box(panel, view.detail)


def _draw_box(panel: Axes, detail: tuple[slice, slice]) -> None:
    rows, columns = detail
    size = columns.stop - columns.start, rows.stop - rows.start
    panel.add_patch(Rectangle((columns.start - 0.5, rows.start - 0.5), *size, fill=False, color=SECOND, linewidth=0.9))


def _draw_metrics(panel: Axes, label: str, metrics: Mapping[str, Mapping[str, float]]) -> None:
    for line, (name, text) in enumerate(CAPTIONS.items()):
        value = metrics.get(label, {}).get(name)
        if value is None:
            continue
        text = text.format(value) if np.isfinite(value) else f"{name.upper()} not finite"
        known = [values[name] for values in metrics.values() if name in values and np.isfinite(values[name])]
        best = len(known) > 1 and value == max(known)
        _write_below(panel, text, line, ACCENT if best else MUTED)


def _draw_keys(panels: Sequence[Axes], view: _View, mask: ArrayLike | None) -> None:
    """In the leading columns' place for errors: the errors' colour bar, at the right end, and the mask."""
    last = panels[-1]
    draw_error_bar(last.inset_axes((0.88, 0.04, 0.08, 0.96)), 100 / view.factor, extend="max")
    bar = last.child_axes[0]
    bar.yaxis.set_ticks_position("left")
    bar.tick_params(length=0, pad=4)
    _write_below(last, "|error|, % of white", 0, TEXT)
    if mask is not None:
        mask = np.asarray(mask) != 0
        panel = panels[0].inset_axes((0.0, 0.0, 1.0 if len(panels) > 1 else 0.55, 0.85))
        panel.imshow(mask, cmap="gray", vmin=0, vmax=1)
        panel.set_anchor("SW")
        panel.set_axis_off()
        sampled = np.count_nonzero(mask)
        text = f"mask, {mask.size / sampled:.1f}×" if sampled else "mask"
        panel.set_title(text, color=TEXT, size=CAPTION_SIZE, pad=4, loc="left")


def _write_below(panel: Axes, text: str, line: int, colour: str) -> None:
    offset = {"xytext": (0, -5 - 72 * LINE * line), "textcoords": "offset points", "ha": "center", "va": "top"}
    panel.annotate(text, (0.5, 0), xycoords="axes fraction", color=colour, size=CAPTION_SIZE, **offset)
