"""The picture that compares methods: what each made of one slice, a magnified detail, and errors on one scale."""

from __future__ import annotations

import textwrap
from collections.abc import Iterable, Mapping, Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle
from numpy.typing import ArrayLike
from scipy import ndimage

from ..data.slices import middle_of_the_head
from ..evaluation import figures
from ..plotting import ACCENT, MUTED, SECOND, TEXT
from .curves import page

__all__ = ["detail_box", "methods_figure", "middle_slice"]

REFERENCE, T1 = "Reference", "T1 (guide)"
MOST_COLUMNS = 7  # of methods; more are broken into blocks of equal length
PAGE, NARROWEST, WIDEST = 12.5, 1.5, 2.3  # inches: the page's width, a panel's
ZOOM_FRACTION = 0.3  # side of the magnified square, of the head's smaller extent
RIM_FRACTION = 0.25  # of the head's greatest depth: scalp and skull, whose edges are the sharpest and of no interest
CAPTIONS = {"psnr": "PSNR {:.2f} dB", "ssim": "SSIM {:.3f}"}


def methods_figure(
    images: Mapping[str, ArrayLike],
    reference: ArrayLike,
    t1: ArrayLike | None = None,
    metrics: Mapping[str, Mapping[str, float]] | None = None,
    spacing: tuple[float, float] = (1.0, 1.0),
    rot90: int = 1,
) -> Figure:
    """One slice by all methods, a column each: reconstruction, its detail, its error; first the reference, then T1.

    The detail is the same for all methods and chosen from the reference alone (:func:`detail_box`). All images
    but T1 share the reference's grey window, and all errors one scale, at which the median method's error fits; larger
    errors take the last colour.

    Args:
        images: label -> magnitude image ``(h, w)``; more than seven are broken into blocks one below the other.
        reference, t1: ``(h, w)``.
        metrics: label -> ``psnr`` in dB and ``ssim``, each optional; the best of each is marked.
        spacing, rot90: as in :func:`bundle.evaluation.figures.comparison_figure`.
    """
    metrics = metrics or {}
    lead = {REFERENCE: reference} | ({} if t1 is None else {T1: t1})
    head = figures.head_box(np.asarray(reference, dtype=np.float64))
    shown = {label: np.rot90(np.asarray(image)[head], rot90) for label, image in (lead | dict(images)).items()}
    view = _View(shown[REFERENCE], spacing if rot90 % 2 == 0 else spacing[::-1], [shown[label] for label in images])
    blocks = np.array_split(np.array(list(images), dtype=object), -(-len(images) // MOST_COLUMNS))
    panels = _panels(len(blocks), len(lead) + len(blocks[0]), view.proportion)
    for block, rows in zip(blocks, panels):
        for label, column in zip([*lead, *block], rows.T):
            view.draw_image(column, label, shown[label])
        for label, panel in zip(block, rows[2, len(lead) :]):
            view.draw_error(panel, shown[label])
            _write_metrics(panel, metrics.get(label, {}), metrics.values())
        _draw_key(rows[2, len(lead) - 1], 100 / view.factor, len(metrics) > 1)
    return panels[0, 0, 0].figure


class _View:
    """What all panels share: the grey window's and the errors' end, the detail, the shape of image and voxels."""

    def __init__(self, reference: np.ndarray, spacing: tuple[float, float], images: Sequence[np.ndarray]) -> None:
        self.reference, self.box, self.aspect = reference, detail_box(reference, spacing), spacing[0] / spacing[1]
        self.proportion = reference.shape[0] / reference.shape[1] * self.aspect
        self.white = figures.window_end(reference, figures.WINDOW_PERCENTILE)
        errors = [np.abs(image - reference) for image in images]
        self.factor = float(np.median([figures.fitting_factor(error, self.white) for error in errors]))

    def draw_image(self, column: Sequence[Axes], label: str, image: np.ndarray) -> None:
        """The image with the detail's box, and the detail below it."""
        white = figures.window_end(image, figures.T1_WINDOW_PERCENTILE) if label == T1 else self.white
        for panel, part in zip(column, (image, image[self.box])):
            panel.imshow(part, cmap="gray", vmin=0, vmax=white, aspect=self.aspect)
        column[0].set_title(textwrap.fill(label, 19), color=TEXT, size=10, pad=5, parse_math=False)
        self._draw_box(column[0])

    def draw_error(self, panel: Axes, image: np.ndarray) -> None:
        """How far the image is from the reference, with the detail's box."""
        error, end = np.abs(image - self.reference), self.white / self.factor
        panel.imshow(error, cmap=figures.ERROR_COLOURS, vmin=0, vmax=end, aspect=self.aspect)
        self._draw_box(panel)

    def _draw_box(self, panel: Axes) -> None:
        y, x = self.box
        corner, size = (x.start - 0.5, y.start - 0.5), (x.stop - x.start, y.stop - y.start)
        panel.add_patch(Rectangle(corner, *size, fill=False, color=SECOND, linewidth=0.9))


def _panels(blocks: int, columns: int, proportion: float) -> np.ndarray:
    """Panels of a new page: block, row (image, detail, error), column."""
    width = float(np.clip(PAGE / columns, NARROWEST, WIDEST))
    height = width * float(np.clip(proportion, 0.5, 1.6))
    pads = {"w_pad": 0.03, "h_pad": 0.03, "wspace": 0, "hspace": 0}
    figure = page(columns * width, 0.9 + blocks * (2 * height + width + 0.8), compress=True, **pads)
    panels = figure.subplots(3 * blocks, columns, squeeze=False, height_ratios=[height, width, height] * blocks)
    for panel in panels.flat:
        panel.set_axis_off()
    return panels.reshape(blocks, 3, columns)


def _draw_key(panel: Axes, end: float, marked: bool) -> None:
    """The errors' colours, in the place of the reference's error; whether the best metrics are marked."""
    figures.draw_error_bar(panel.inset_axes((0.88, 0.04, 0.08, 0.96)), end, extend="max")
    panel.child_axes[0].yaxis.set_ticks_position("left")
    panel.child_axes[0].tick_params(length=0, pad=4)
    _write_below(panel, "|error|, % of white", 0, TEXT)
    _write_below(panel, "blue: the best" * marked, 1, ACCENT)


def _write_metrics(panel: Axes, own: Mapping[str, float], metrics: Iterable[Mapping[str, float]]) -> None:
    """A method's metrics, those that are the best of all ``metrics`` in another colour."""
    for line, (name, text) in enumerate(CAPTIONS.items()):
        if name in own:
            known = [other[name] for other in metrics if np.isfinite(other.get(name, np.nan))]
            best = len(known) > 1 and own[name] == max(known)
            text = text.format(own[name]) if np.isfinite(own[name]) else f"{name.upper()} not finite"
            _write_below(panel, text, line, ACCENT if best else MUTED)


def _write_below(panel: Axes, text: str, line: int, colour: str) -> None:
    place = (0.5, 0), (0, -5 - 12 * line), "axes fraction", "offset points"
    panel.annotate(text, *place, color=colour, size=9.5, ha="center", va="top")


def middle_slice(reference: np.ndarray) -> int:
    """Index of a slice in the middle of the head; ``reference`` is ``(h, w, slices)``."""
    return middle_of_the_head((reference > figures.HEAD_FRACTION * figures.window_end(reference, 99)).mean(axis=(0, 1)))


def detail_box(reference: np.ndarray, spacing: tuple[float, float] = (1.0, 1.0)) -> tuple[slice, slice]:
    """Rows and columns of the square (in mm) inside the head whose grey values change most.

    Changes count where they are deep enough in the head not to be the scalp's or the skull's.

    Args:
        reference: ``(h, w)``, cut to the head.
        spacing: distance of rows and of columns, in mm.
    """
    reference = np.nan_to_num(np.asarray(reference, dtype=np.float64))
    white = figures.window_end(reference, figures.WINDOW_PERCENTILE)
    extent = [size * mm for size, mm in zip(reference.shape, spacing)]
    sides = [max(1, round(ZOOM_FRACTION * min(extent) / mm)) for mm in spacing]
    head = ndimage.binary_fill_holes(ndimage.binary_closing(reference > figures.HEAD_FRACTION * white, iterations=2))
    depth = ndimage.distance_transform_edt(np.pad(head, 1), sampling=spacing)[1:-1, 1:-1]
    smooth = ndimage.gaussian_filter(np.clip(reference, 0, white), 0.7)  # noise is not detail
    change = np.hypot(*(ndimage.sobel(smooth, axis) / mm for axis, mm in enumerate(spacing)))
    change[depth <= RIM_FRACTION * depth.max()] = 0
    detail = ndimage.uniform_filter(change, sides, mode="constant")
    middle = np.array(reference.shape) // 2
    centre = np.unravel_index(np.argmax(detail), detail.shape) if change.any() else middle
    y, x = (int(np.clip(at - side // 2, 0, size - side)) for at, side, size in zip(centre, sides, reference.shape))
    return slice(y, y + sides[0]), slice(x, x + sides[1])
