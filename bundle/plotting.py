"""The look that all figures share: dark pages, quiet axes, PNG files written in one step.

Figures are plain ``matplotlib.figure.Figure`` objects on the Agg canvas; pyplot and its global state are not used, so
that they can be drawn in any process or thread. Subject names are never read as mathematical text (``$``).
"""

from __future__ import annotations

from pathlib import Path

from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from .outputs import atomic_path

__all__ = ["dark_figure", "save_figure", "style_curve"]

BACKGROUND, TEXT, MUTED, ACCENT, SECOND = "#000000", "#f2f2f2", "#9aa0a6", "#7fd1ff", "#ffb86b"
DOTS_PER_INCH = 150


def dark_figure(width: float, height: float) -> Figure:
    """An empty figure of so many inches, on the Agg canvas."""
    figure = Figure(figsize=(width, height), facecolor=BACKGROUND)
    FigureCanvasAgg(figure)
    return figure


def save_figure(figure: Figure, path: str | Path) -> None:
    """Write a figure as PNG; it replaces an existing file in one step.

    Raises:
        BundleError: the file cannot be written.
    """
    with atomic_path(path) as temporary:
        figure.savefig(temporary, format="png", dpi=DOTS_PER_INCH, facecolor=figure.get_facecolor())


def style_curve(axes: Axes, label: str, x_label: str) -> None:
    """Name both axes, ``label`` above the panel, and draw a faint grid."""
    axes.set_title(label, color=TEXT, size=11, loc="left", pad=8, parse_math=False)
    axes.set_xlabel(x_label, color=MUTED, size=9.5, parse_math=False)
    axes.tick_params(colors=MUTED, which="both", labelsize=8.5, length=0)
    axes.grid(color="#26292e", linewidth=0.7)
    axes.set_axisbelow(True)
    axes.margins(y=0.12)
    for side, spine in axes.spines.items():
        spine.set_visible(side == "bottom")
        spine.set_color("#3a3f46")
