"""A study's numbers as pictures: a swept setting, quality against cost, and quality under other conditions.

The page is dark, with a title above, a note below, and room made by matplotlib's layout. Values that are not finite are
never left out in silence: the figure names them as "not finite".
"""

from __future__ import annotations

import textwrap
from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd
from matplotlib import colormaps
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.layout_engine import ConstrainedLayoutEngine
from matplotlib.ticker import EngFormatter, LogLocator, NullFormatter
from numpy.typing import ArrayLike

from ..plotting import ACCENT, BACKGROUND, MUTED, SECOND, TEXT, dark_figure, style_curve

__all__ = ["add_heading", "conditions_figure", "page", "quality_figure", "sweep_figure"]

QUALITY = {"psnr": "PSNR [dB]", "ssim": "SSIM"}
COSTS = {"parameters": ("parameters", ""), "seconds_per_slice": ("time per slice", "s")}  # label, unit
NOT_FINITE = "not finite"
BLACK = {"facecolor": BACKGROUND}
MOST_PANELS = 3  # of a row of conditions
Means = Mapping[str, float]


def page(width: float, height: float, **layout: Any) -> Figure:
    """An empty figure of so many inches; ``layout`` is for matplotlib's ``ConstrainedLayoutEngine``."""
    figure = dark_figure(width, height)
    figure.set_layout_engine(ConstrainedLayoutEngine(**{"h_pad": 0.1, **layout}))
    return figure


def add_heading(figure: Figure, title: str, note: str) -> None:
    """Write what a figure shows above it, and how below, in as many lines as its width asks for."""
    width = figure.get_figwidth()
    style: dict[str, Any] = {"x": 0.15 / width, "ha": "left", "parse_math": False}
    figure.suptitle(textwrap.fill(title, int(8 * width)), color=TEXT, size=14, weight="bold", **style)
    figure.supxlabel(textwrap.fill(note, int(13 * width)), color=MUTED, size=9.5, **style)


def sweep_figure(values: Mapping[float, Mapping[str, ArrayLike]], x_label: str, default: float | None = None) -> Figure:
    """PSNR and SSIM against a swept setting: mean over subjects, and a band of one standard deviation over subjects.

    Args:
        values: setting -> ``psnr`` in dB and ``ssim``, one value a subject; a band needs two subjects or more.
        x_label: what was swept.
        default: the setting's usual value, marked.
    """
    figure = page(11.0, 4.4)
    settings = sorted(values)
    for axes, (name, label) in zip(figure.subplots(1, 2, subplot_kw=BLACK), QUALITY.items()):
        subjects = [pd.Series(values[setting][name], dtype=float) for setting in settings]
        means, spreads = np.array([(group.mean(skipna=False), group.std(skipna=False)) for group in subjects]).T
        axes.fill_between(settings, means - spreads, means + spreads, color=ACCENT, alpha=0.16, linewidth=0)
        axes.errorbar(settings, means, spreads, color=ACCENT, marker="o", markersize=5, capsize=3, elinewidth=1)
        spread = " ± standard deviation" * bool(np.isfinite(spreads).any())
        style_curve(axes, f"{label}: mean{spread} over subjects", x_label)
        if settings[0] > 0 and settings[-1] > 50 * settings[0]:
            axes.set_xscale("log")
            axes.xaxis.set_minor_formatter(NullFormatter())
        names = [f"{setting:g}" + "\ndefault" * (setting == default) for setting in settings]
        names = [name if np.isfinite(mean) else f"{name}\n{NOT_FINITE}" for name, mean in zip(names, means)]
        axes.set_xticks(settings, names)
        if default in settings:
            axes.axvline(default, color=SECOND, linewidth=1.1, linestyle="--", zorder=1)
            axes.plot(default, means[settings.index(default)], marker="o", markersize=9, color=SECOND, zorder=4)
    return figure


def quality_figure(methods: Mapping[str, Means], zero_filled: Means | None = None) -> Figure:
    """PSNR and SSIM against parameters and against seconds per slice, both on a logarithmic scale.

    Args:
        methods: label -> ``psnr``, ``ssim``, ``parameters``, ``seconds_per_slice``: means over subjects. A cost that is
            not above zero cannot be shown: such a method is missing in the column of that cost.
        zero_filled: ``psnr`` and ``ssim`` of the zero-filled image: a dashed line.
    """
    figure = page(13.0, 9.0)
    for row, (metric, label) in zip(figure.subplots(2, 2, subplot_kw=BLACK), QUALITY.items()):
        for axes, (cost, (x_label, unit)) in zip(row, COSTS.items()):
            style_curve(axes, label, x_label)
            for number, (name, values) in enumerate(methods.items()):
                x = values[cost] if values[cost] > 0 else np.nan
                failed = "" if all(np.isfinite(values[key]) for key in QUALITY) else f" ({NOT_FINITE})"
                style = {"color": colormaps["Set3"](number % 12), "marker": "osD^vP"[number % 6], "s": 70, "zorder": 4}
                axes.scatter(x, values[metric], label=f"{name}{failed}", **style)
            if zero_filled is not None and np.isfinite(zero_filled[metric]):
                axes.axhline(zero_filled[metric], color=MUTED, linestyle="--", label="zero-filled")
            _scale_costs(axes, [values[cost] for values in methods.values()], unit)
    handles, names = figure.axes[0].get_legend_handles_labels()
    legend = figure.legend(handles, names, loc="outside right upper", frameon=False, labelcolor=TEXT, fontsize=9.5)
    for text in legend.get_texts():
        text.set_parse_math(False)
    return figure


def _scale_costs(axes: Axes, costs: list[float], unit: str) -> None:
    """A logarithmic axis of half a decade at least, so that there are ticks; none where there is no cost."""
    known = np.log10([cost for cost in costs if np.isfinite(cost) and cost > 0])
    if not len(known):
        axes.set_axis_off()
        return
    axes.set_xscale("log")
    room = max(0.14 * np.ptp(known), 0.25 - np.ptp(known) / 2)
    axes.set_xlim(10 ** (known.min() - room), 10 ** (known.max() + room))
    axes.xaxis.set_major_locator(LogLocator(subs=(1, 2, 5) if np.ptp(known) < 2 else (1,)))
    axes.xaxis.set_major_formatter(EngFormatter(unit))
    axes.xaxis.set_minor_formatter(NullFormatter())


def conditions_figure(values: Mapping[str, Means], as_trained: Means) -> Figure:
    """PSNR under other conditions: a panel a method, a dot a condition, a line for what it has as it was trained.

    Args:
        values: method's label -> condition's label -> PSNR in dB, mean over subjects.
        as_trained: method's label -> PSNR in dB.
    """
    conditions = list(dict.fromkeys(condition for row in values.values() for condition in row))
    rows, columns = -(-len(values) // MOST_PANELS), min(MOST_PANELS, len(values))
    figure = page(2.5 + 3.4 * columns, 0.9 + rows * (1.3 + 0.36 * len(conditions)))
    panels = figure.subplots(rows, columns, subplot_kw=BLACK, sharex=True, sharey=True, squeeze=False).flatten()
    panels[0].set(ylim=(len(conditions) - 0.4, -0.6))
    panels[0].set_yticks(range(len(conditions)), [textwrap.fill(name, 44) for name in conditions], parse_math=False)
    for axes, (method, row) in zip(panels, values.items()):
        level = as_trained.get(method, np.nan)
        told = f"{level:.2f} dB" if np.isfinite(level) else NOT_FINITE
        style_curve(axes, f"{textwrap.fill(method, 34)}\nas trained: {told}", QUALITY["psnr"])
        axes.yaxis.set_tick_params(labelcolor=TEXT, labelsize=9.5)
        axes.xaxis.set_tick_params(labelbottom=True)
        axes.axvline(level, color=SECOND, linewidth=1.4)
        for place, condition in enumerate(conditions):
            _draw_condition(axes, place, row.get(condition), level)
    for axes in panels[len(values) :]:
        axes.set_axis_off()
    return figure


def _draw_condition(axes: Axes, place: int, value: float | None, level: float) -> None:
    """A dot with a thin line to the level, and the difference at the right."""
    change = "not tested" if value is None else NOT_FINITE
    if value is not None and np.isfinite(value):
        axes.plot([level, value], [place, place], color=ACCENT, linewidth=1, alpha=0.6)
        axes.plot(value, place, marker="o", color=ACCENT, markersize=6.5, linestyle="none", zorder=4)
        change = f"{value - level:+.2f} dB".replace("-", "−") if np.isfinite(level) else ""
    beside = (1, place), (6, 0), ("axes fraction", "data"), "offset points"
    axes.annotate(change, *beside, color=TEXT, size=9, va="center")
