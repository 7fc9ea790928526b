"""One slice with all that belongs to it: T1, zero-filled, reconstruction, reference, mask and errors."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from matplotlib import colormaps
from matplotlib.axes import Axes
from matplotlib.cm import ScalarMappable
from matplotlib.colors import Normalize
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator
from numpy.typing import ArrayLike

from ..plotting import ACCENT, BACKGROUND, MUTED, TEXT, dark_figure

__all__ = [
    "comparison_figure",
    "draw_error_bar",
    "fitting_factor",
    "head_box",
    "label_panel",
    "window_end",
]

Metrics = Mapping[str, float] | None

ERROR_COLOURS = "inferno"
WINDOW_PERCENTILE, T1_WINDOW_PERCENTILE = 99.7, 98.5  # T1: fat would leave the brain dark
HEAD_FRACTION, HEAD_MARGIN = 0.1, 0.04  # of the white level, of the matrix
ERROR_PERCENTILE = 99.5
ERROR_FACTORS = (20, 15, 10, 8, 6, 5, 4, 3, 2, 1)

# All lengths in inches: four columns of panels, two rows; the text has room of its own, so that nothing overlaps.
PANEL, GAP, MARGIN = 2.7, 0.12, 0.25
HEADER, LABEL, CAPTION = 0.75, 0.34, 0.32


def comparison_figure(
    t1: ArrayLike,
    zero_filled: ArrayLike,
    reconstruction: ArrayLike,
    reference: ArrayLike,
    mask: ArrayLike,
    *,
    title: str = "",
    subtitle: str = "",
    zero_filled_metrics: Metrics = None,
    reconstruction_metrics: Metrics = None,
    acceleration: float | None = None,
    spacing: tuple[float, float] = (1.0, 1.0),
    rot90: int = 1,
    error_factor: float | None = None,
    network_name: str = "MANet",
) -> Figure:
    """One slice: T1, zero-filled, reconstruction and reference; below them the mask and both errors on one scale.

    All images are cut to one box around what the reference shows, so that the anatomy fills the panels.

    Args:
        t1, zero_filled, reconstruction, reference: magnitude images ``(h, w)``. The last three share a grey window,
            from zero to the reference's 99.7th percentile; T1 has its own.
        mask: sampled points of k-space ``(h, w)``, zero frequency in the middle; shown as it is stored, never turned.
        title, subtitle: free text, such as the subject and what the metrics are taken over.
        zero_filled_metrics, reconstruction_metrics: ``psnr`` in dB, ``ssim``, ``nmse``, each optional.
        acceleration: the one really sampled, for the mask's label; default: the mask's own.
        spacing: distance of rows and of columns, in mm.
        rot90: quarter turns counter-clockwise. An axial slice whose axes are (x, y) needs 1 where y grows to anterior
            (RAS, LAS) and -1 where it grows to posterior (LPS), for anterior to be up.
        error_factor: the errors' scale ends at the grey window's end divided by this; default: the largest of
            :data:`ERROR_FACTORS` at which 99.5 % of the zero-filled image's error fits in.
        network_name: label of the reconstruction.

    Returns:
        the figure; :func:`save_figure` writes it.
    """
    images = [np.asarray(image, dtype=np.float64) for image in (t1, zero_filled, reconstruction, reference)]
    box = head_box(images[-1])
    images = [np.rot90(image[box], rot90) for image in images]
    t1, zero_filled, reconstruction, reference = images
    white = window_end(reference, WINDOW_PERCENTILE)
    errors = [np.abs(image - reference) for image in (zero_filled, reconstruction)]
    factor = error_factor or fitting_factor(errors[0], white)
    row_mm, column_mm = spacing if rot90 % 2 == 0 else spacing[::-1]
    figure, panels = _grid((reference.shape[0] * row_mm, reference.shape[1] * column_mm), title, subtitle)

    grey = {"cmap": "gray", "vmin": 0, "aspect": row_mm / column_mm}
    whites = (window_end(t1, T1_WINDOW_PERCENTILE), white, white, white)
    names = ("T1 (guide)", "T2 zero-filled", f"T2 {network_name}", "T2 reference")
    for panel, image, end, name in zip(panels[0], images, whites, names, strict=True):
        panel.imshow(image, vmax=end, **grey)
        label_panel(panel, name)
    _caption(panels[0][1], zero_filled_metrics, MUTED)
    _caption(panels[0][2], reconstruction_metrics, ACCENT)

    scale = Normalize(0, white / factor)
    mask_panel, *error_panels, legend = panels[1]
    for panel, error, name in zip(error_panels, errors, ("zero-filled", network_name), strict=True):
        panel.imshow(error, norm=scale, cmap=ERROR_COLOURS, aspect=row_mm / column_mm)
        label_panel(panel, f"|error| × {factor:g}, {name}")
    _draw_mask(mask_panel, np.asarray(mask), acceleration)
    _draw_legend(legend, 100 / factor, zero_filled_metrics, reconstruction_metrics, network_name)
    return figure


def _grid(extent_mm: tuple[float, float], title: str, subtitle: str) -> tuple[Figure, list[list[Axes]]]:
    """A figure with 2 x 4 empty panels of the slice's proportions (height, width in mm)."""
    height = float(np.clip(PANEL * extent_mm[0] / extent_mm[1], 0.5 * PANEL, 1.6 * PANEL))
    total = (2 * MARGIN + 4 * PANEL + 3 * GAP, HEADER + 2 * (LABEL + height) + CAPTION + MARGIN)
    figure = dark_figure(*total)
    panels = []
    for row in range(2):
        bottom = MARGIN + (1 - row) * (height + LABEL + CAPTION)
        lefts = (MARGIN + column * (PANEL + GAP) for column in range(4))
        boxes = [(left / total[0], bottom / total[1], PANEL / total[0], height / total[1]) for left in lefts]
        panels.append([figure.add_axes(box, facecolor=BACKGROUND) for box in boxes])
    for panel in (*panels[0], *panels[1]):
        panel.set_axis_off()
    left, top = MARGIN / total[0], 1 - 0.3 / total[1]
    figure.text(left, top, title, color=TEXT, size=14, weight="bold", va="center", parse_math=False)
    figure.text(left, top - 0.26 / total[1], subtitle, color=MUTED, size=9.5, va="center", parse_math=False)
    return figure, panels


def label_panel(panel: Axes, text: str) -> None:
    """Write the name of what a panel shows above it."""
    panel.set_title(text, color=TEXT, size=10.5, pad=6, parse_math=False)


def _caption(panel: Axes, metrics: Metrics, colour: str) -> None:
    parts = [f"PSNR {metrics['psnr']:.2f} dB"] if metrics and "psnr" in metrics else []
    parts += [f"SSIM {metrics['ssim']:.3f}"] if metrics and "ssim" in metrics else []
    offset = {"xytext": (0, -5), "textcoords": "offset points", "ha": "center", "va": "top"}
    panel.annotate("   ".join(parts), (0.5, 0), xycoords="axes fraction", color=colour, size=10, **offset)


def _draw_mask(panel: Axes, mask: np.ndarray, acceleration: float | None) -> None:
    sampled = np.count_nonzero(mask)
    acceleration = acceleration or (mask.size / sampled if sampled else np.inf)
    panel.imshow(mask != 0, cmap="gray", vmin=0, vmax=1)
    panel.set_anchor("N")
    label_panel(panel, f"k-space mask, {acceleration:.2f}×")


def _draw_legend(panel: Axes, end: float, zero_filled: Metrics, reconstruction: Metrics, network_name: str) -> None:
    """The errors' colour bar, in per cent of the grey window up to ``end``, and the gain over zero filling."""
    draw_error_bar(panel.inset_axes((0.02, 0.0, 0.06, 0.97)), end)
    panel.set_title("error, % of white", color=TEXT, size=10.5, pad=6, loc="left")
    if zero_filled and reconstruction:
        formats = {"psnr": "{:+.2f} dB PSNR", "ssim": "{:+.3f} SSIM"}
        known = [name for name in formats if name in zero_filled and name in reconstruction]
        gains = "\n".join(formats[name].format(reconstruction[name] - zero_filled[name]) for name in known)
        style = {"linespacing": 1.5, "parse_math": False}
        panel.text(0.36, 0.62, f"{network_name} over\nzero filling", color=MUTED, size=9.5, va="bottom", **style)
        panel.text(0.36, 0.56, gains, color=ACCENT, size=13, weight="bold", va="top", **style)


def draw_error_bar(axes: Axes, end: float, extend: str = "neither") -> None:
    """The errors' colours in an upright panel, in per cent of the grey window, from zero to ``end``.

    ``extend="max"`` gives it a tip: errors beyond the end are shown as the last colour.
    """
    colours = ScalarMappable(Normalize(0, end), colormaps[ERROR_COLOURS])
    bar = axes.figure.colorbar(colours, cax=axes, extend=extend)
    bar.ax.yaxis.set_major_formatter("{x:g} %")
    bar.ax.yaxis.set_major_locator(MaxNLocator(5, steps=(1, 2, 2.5, 5, 10)))
    bar.ax.tick_params(colors=MUTED, labelsize=8.5, length=0, pad=5)
    bar.outline.set_visible(False)


def head_box(reference: np.ndarray) -> tuple[slice, slice]:
    """Rows and columns that hold signal, with a small margin; everything for an empty image."""
    signal = reference > HEAD_FRACTION * window_end(reference, WINDOW_PERCENTILE)
    box = []
    for axis, length in enumerate(reference.shape):
        found = np.flatnonzero(signal.mean(axis=1 - axis) > 0.01)  # a stray bright voxel is not the head
        first, last = (found[0], found[-1] + 1) if found.size else (0, length)
        margin = round(HEAD_MARGIN * length)
        box.append(slice(max(0, first - margin), last + margin))
    return tuple(box)


def window_end(image: np.ndarray, percentile: float) -> float:
    """A percentile that can serve as the end of a window: above zero also for an empty image."""
    finite = image[np.isfinite(image)]
    value = float(np.percentile(finite, percentile)) if finite.size else 0.0
    return value if value > 0 else 1.0


def fitting_factor(error: np.ndarray, white: float) -> float:
    """The largest of :data:`ERROR_FACTORS` by which 99.5 % of the errors can grow without passing ``white``."""
    end = window_end(error, ERROR_PERCENTILE)
    return next((factor for factor in ERROR_FACTORS if end * factor <= white), 1)
