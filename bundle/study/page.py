"""The page that a study's figures are drawn on: dark, with a title and a line below it that fit its width."""

from __future__ import annotations

from matplotlib.figure import Figure

from ..plotting import MUTED, TEXT, dark_figure

__all__ = ["HEADER", "titled_figure"]

HEADER, EDGE = 0.78, 0.25  # inches: height of title and subtitle, and what stays free at the left and the right
SMALLEST = 4  # of a text, in points


def titled_figure(width: float, height: float, title: str, subtitle: str) -> Figure:
    """An empty figure of so many inches; texts too long for it are set smaller."""
    figure = dark_figure(width, height)
    for text, down, size, style in (
        (title, 0.3, 14, {"color": TEXT, "weight": "bold"}),
        (subtitle, 0.57, 9.5, {"color": MUTED}),
    ):
        note = figure.text(EDGE / width, 1 - down / height, text, size=size, va="center", parse_math=False, **style)
        renderer = figure.canvas.get_renderer()
        while note.get_window_extent(renderer).width / figure.dpi > width - 2 * EDGE and note.get_size() > SMALLEST:
            note.set_size(0.97 * note.get_size())
    return figure
