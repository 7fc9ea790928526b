"""The page that a study's figures are drawn on: dark, a title above, a note below, room made by matplotlib's layout."""

from __future__ import annotations

import textwrap
from typing import Any

from matplotlib.figure import Figure

from ..plotting import MUTED, TEXT, dark_figure

__all__ = ["add_heading", "page"]


def page(width: float, height: float, layout: str = "constrained") -> Figure:
    """An empty figure of so many inches."""
    figure = dark_figure(width, height)
    figure.set_layout_engine(layout, h_pad=0.1)
    return figure


def add_heading(figure: Figure, title: str, note: str) -> None:
    """Write what a figure shows above it, and how below, in as many lines as its width asks for."""
    width = figure.get_figwidth()
    style: dict[str, Any] = {"x": 0.15 / width, "ha": "left", "parse_math": False}
    figure.suptitle(textwrap.fill(title, int(8 * width)), color=TEXT, size=14, weight="bold", **style)
    figure.supxlabel(textwrap.fill(note, int(13 * width)), color=MUTED, size=9.5, **style)
