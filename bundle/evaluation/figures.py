"""The figure of a slice: T1, zero-filled, reconstruction and reference, with mask and error maps."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from matplotlib import colormaps
from matplotlib.axes import Axes
from matplotlib.cm import ScalarMappable
from matplotlib.colors import Normalize
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator
from numpy.typing import ArrayLike

from ..plotting import ACCENT, BACKGROUND, MUTED, TEXT, dark_figure

__all__ = ["comparison_figure", "draw_error_bar", "fitting_factor", "head_box", "label_panel", "window_end"]

Metrics = Mapping[str, float] | None

ERROR_COLOURS = "inferno"
WINDOW_PERCENTILE, T1_WINDOW_PERCENTILE = 99.7, 98.5  # T1: fat would leave the brain dark
HEAD_FRACTION, HEAD_MARGIN = 0.1, 0.04  # of the white level, of the matrix
ERROR_PERCENTILE = 99.5
ERROR_FACTORS = (20, 15, 10, 8, 6, 5, 4, 3, 2, 1)

PAGE_WIDTH, HEADER = 11.7, 0.75  # inches


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
    images = _upright((t1, zero_filled, reconstruction, reference), rot90)
    row_mm, column_mm = spacing if rot90 % 2 == 0 else spacing[::-1]
    rows, columns = images[-1].shape
    figure, (upper, lower) = _page(rows * row_mm / (columns * column_mm), title, subtitle)
    white = _draw_images(upper, images, row_mm / column_mm, network_name)
    _caption(upper[1], zero_filled_metrics, MUTED)
    _caption(upper[2], reconstruction_metrics, ACCENT)
    _draw_mask(lower[0], np.asarray(mask), acceleration)
    factor = _draw_errors(lower[1:3], images, white, error_factor, row_mm / column_mm, network_name)
    _draw_legend(lower[3], 100 / factor, zero_filled_metrics, reconstruction_metrics, network_name)
    return figure


def _upright(images: Sequence[ArrayLike], rot90: int) -> list[np.ndarray]:
    """All images cut to the head of the last one, and turned."""
    arrays = [np.asarray(image, dtype=np.float64) for image in images]
    box = head_box(arrays[-1])
    return [np.rot90(image[box], rot90) for image in arrays]


def _page(proportion: float, title: str, subtitle: str) -> tuple[Figure, np.ndarray]:
    """A figure with 2 x 4 empty panels for images of that proportion, height by width in mm."""
    height = HEADER + 2 * (PAGE_WIDTH / 4 * float(np.clip(proportion, 0.5, 1.6)) + 0.48)
    figure = dark_figure(PAGE_WIDTH, height)
    figure.set_layout_engine("constrained", rect=(0.01, 0.01, 0.98, 0.99 - HEADER / height), h_pad=0.08)
    place: dict[str, Any] = {"va": "center", "parse_math": False}
    figure.text(0.02, 1 - 0.3 / height, title, color=TEXT, size=14, weight="bold", **place)
    figure.text(0.02, 1 - 0.56 / height, subtitle, color=MUTED, size=9.5, **place)
    panels = figure.subplots(2, 4, subplot_kw={"facecolor": BACKGROUND})
    for panel in panels.flat:
        panel.set_axis_off()
        panel.set_anchor("N")  # labels of one row stand in one line
    return figure, panels


def _draw_images(panels: Sequence[Axes], images: Sequence[np.ndarray], aspect: float, network_name: str) -> float:
    """T1, zero-filled, reconstruction and reference; returns the end of the grey window of the last three."""
    white = window_end(images[-1], WINDOW_PERCENTILE)
    whites = (window_end(images[0], T1_WINDOW_PERCENTILE), white, white, white)
    names = ("T1 (guide)", "T2 zero-filled", f"T2 {network_name}", "T2 reference")
    for panel, image, end, name in zip(panels, images, whites, names, strict=True):
        panel.imshow(image, cmap="gray", vmin=0, vmax=end, aspect=aspect)
        label_panel(panel, name)
    return white


def _draw_errors(
    panels: Sequence[Axes],
    images: Sequence[np.ndarray],
    white: float,
    factor: float | None,
    aspect: float,
    network_name: str,
) -> float:
    """The absolute errors of zero-filled image and reconstruction; returns the factor by which they are magnified."""
    errors = [np.abs(image - images[-1]) for image in images[1:3]]
    factor = factor or fitting_factor(errors[0], white)
    for panel, error, name in zip(panels, errors, ("zero-filled", network_name), strict=True):
        panel.imshow(error, norm=Normalize(0, white / factor), cmap=ERROR_COLOURS, aspect=aspect)
        label_panel(panel, f"|error| × {factor:g}, {name}")
    return factor


def label_panel(panel: Axes, text: str) -> None:
    """Write the name of what a panel shows above it."""
    panel.set_title(text, color=TEXT, size=10.5, pad=6, parse_math=False)


def _caption(panel: Axes, metrics: Metrics, colour: str) -> None:
    parts = [f"PSNR {metrics['psnr']:.2f} dB"] if metrics and "psnr" in metrics else []
    parts += [f"SSIM {metrics['ssim']:.3f}"] if metrics and "ssim" in metrics else []
    offset: dict[str, Any] = {"xytext": (0, -5), "textcoords": "offset points", "ha": "center", "va": "top"}
    panel.annotate("   ".join(parts), (0.5, 0), xycoords="axes fraction", color=colour, size=10, **offset)


def _draw_mask(panel: Axes, mask: np.ndarray, acceleration: float | None) -> None:
    sampled = np.count_nonzero(mask)
    acceleration = acceleration or (mask.size / sampled if sampled else np.inf)
    panel.imshow(mask != 0, cmap="gray", vmin=0, vmax=1)
    label_panel(panel, f"k-space mask, {acceleration:.2f}×")


def _draw_legend(panel: Axes, end: float, zero_filled: Metrics, reconstruction: Metrics, network_name: str) -> None:
    """The errors' colour bar, in per cent of the grey window up to ``end``, and the gain over zero filling."""
    draw_error_bar(panel.inset_axes((0.02, 0.0, 0.06, 0.97)), end)
    panel.set_title("error, % of white", color=TEXT, size=10.5, pad=6, loc="left")
    if zero_filled and reconstruction:
        formats = {"psnr": "{:+.2f} dB PSNR", "ssim": "{:+.3f} SSIM"}
        known = [name for name in formats if name in zero_filled and name in reconstruction]
        gains = "\n".join(formats[name].format(reconstruction[name] - zero_filled[name]) for name in known)
        style: dict[str, Any] = {"linespacing": 1.5, "parse_math": False}
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
    return _extent(signal.mean(axis=1)), _extent(signal.mean(axis=0))


def _extent(share: np.ndarray) -> slice:
    """From the first to the last line with signal, given each line's share of it."""
    found = np.flatnonzero(share > 0.01)  # a stray bright voxel is not the head
    first, last = (found[0], found[-1] + 1) if found.size else (0, len(share))
    margin = round(HEAD_MARGIN * len(share))
    return slice(max(0, first - margin), last + margin)


def window_end(image: np.ndarray, percentile: float) -> float:
    """A percentile that can serve as the end of a window: above zero also for an empty image."""
    finite = image[np.isfinite(image)]
    value = float(np.percentile(finite, percentile)) if finite.size else 0.0
    return value if value > 0 else 1.0


def fitting_factor(error: np.ndarray, white: float) -> float:
    """The largest of :data:`ERROR_FACTORS` by which 99.5 % of the errors can grow without passing ``white``."""
    end = window_end(error, ERROR_PERCENTILE)
    return next((factor for factor in ERROR_FACTORS if end * factor <= white), 1)
