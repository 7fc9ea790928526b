"""A study's numbers as pictures: a swept setting, quality against cost, and quality under other conditions.

Values that are not finite are never left out in silence: the figure names them as "not finite".
"""

from __future__ import annotations

import textwrap
from collections.abc import Mapping

import numpy as np
from matplotlib import colormaps
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import EngFormatter, LogLocator, NullFormatter
from numpy.typing import ArrayLike

from ..plotting import ACCENT, BACKGROUND, MUTED, SECOND, TEXT, style_curve
from .labels import label_points
from .page import HEADER, titled_figure

__all__ = ["conditions_figure", "quality_figure", "sweep_figure"]

METRICS = {"psnr": "PSNR [dB]", "ssim": "SSIM"}
COSTS = {"parameters": "parameters", "seconds_per_slice": "seconds per slice"}
NOT_FINITE = "not finite"
MOST_PANELS, CELL = 3, 3.4  # of a row of conditions: panels, and inches for each with the numbers beside it


def sweep_figure(
    values: Mapping[float, Mapping[str, ArrayLike]],
    x_label: str,
    *,
    default: float | None = None,
    title: str = "",
    subtitle: str = "",
) -> Figure:
    """PSNR and SSIM against a swept setting: mean over subjects, and a band of one standard deviation over subjects.

    Args:
        values: setting -> ``psnr`` in dB and ``ssim``, one value a subject; a band needs two subjects or more.
        x_label: what was swept.
        default: the setting's usual value, marked.
        title, subtitle: free text; what the band is stands in the figure.
    """
    figure = titled_figure(11.0, 4.6, title, subtitle)
    settings = sorted(values)
    for column, (name, label) in enumerate(METRICS.items()):
        axes = figure.add_axes((0.07 + 0.49 * column, 0.135, 0.42, 0.59), facecolor=BACKGROUND)
        subjects = [np.asarray(values[setting][name], dtype=np.float64) for setting in settings]
        means = np.array([_mean(group) for group in subjects])
        spreads = np.array([np.std(group, ddof=1) if len(group) > 1 else np.nan for group in subjects])
        axes.fill_between(settings, means - spreads, means + spreads, color=ACCENT, alpha=0.16, linewidth=0)
        axes.errorbar(
            settings, means, spreads, color=ACCENT, marker="o", markersize=5, capsize=3, linewidth=1.8, elinewidth=1
        )
        spread = " ± standard deviation" if np.isfinite(spreads).any() else ""
        style_curve(axes, f"{label}: mean{spread} over subjects", x_label)
        if settings[0] > 0 and settings[-1] > 50 * settings[0]:
            axes.set_xscale("log")
            axes.xaxis.set_minor_formatter(NullFormatter())
        axes.set_xticks(settings, [f"{setting:g}" for setting in settings])
        axes.margins(x=0.06)
        _name_failures(axes, [setting for setting, mean in zip(settings, means) if not np.isfinite(mean)])
        if default in settings and np.isfinite(means[settings.index(default)]):
            _mark_default(axes, default, float(means[settings.index(default)]))
    return figure


def quality_figure(
    methods: Mapping[str, Mapping[str, float]],
    zero_filled: Mapping[str, float] | None = None,
    *,
    title: str = "",
    subtitle: str = "",
) -> Figure:
    """PSNR and SSIM against parameters and against seconds per slice, both on a logarithmic scale.

    Args:
        methods: label -> ``psnr``, ``ssim``, ``parameters``, ``seconds_per_slice``: means over subjects. A cost that is
            not above zero cannot be shown: such a method is missing in the column of that cost.
        zero_filled: ``psnr`` and ``ssim`` of the zero-filled image: a dashed line.
        title, subtitle: free text.
    """
    failed = [label for label, row in methods.items() if not all(np.isfinite(row[name]) for name in METRICS)]
    if failed:
        subtitle = f"{subtitle}; {NOT_FINITE}: {', '.join(failed)}"
    figure = titled_figure(13.0, 9.6, title, subtitle)
    colours = {label: colormaps["Set3"].colors[number % 12] for number, label in enumerate(methods)}
    for row, (metric, label) in enumerate(METRICS.items()):
        for column, (cost, x_label) in enumerate(COSTS.items()):
            place = (0.055 + 0.49 * column, 0.06 + 0.45 * (1 - row), 0.43, 0.355)
            axes = figure.add_axes(place, facecolor=BACKGROUND)
            points = {name: (float(row_[cost]), float(row_[metric])) for name, row_ in methods.items()}
            points = {name: xy for name, xy in points.items() if np.isfinite(xy).all() and xy[0] > 0}
            style_curve(axes, label, x_label)
            _draw_points(axes, points, colours, (zero_filled or {}).get(metric))
    return figure


def conditions_figure(
    values: Mapping[str, Mapping[str, float]],
    as_trained: Mapping[str, float],
    *,
    title: str = "",
    subtitle: str = "",
) -> Figure:
    """PSNR under other conditions: a panel a method, a dot a condition, a line for what it has as it was trained.

    Args:
        values: method's label -> condition's label -> PSNR in dB, mean over subjects.
        as_trained: method's label -> PSNR in dB.
        title, subtitle: free text.
    """
    conditions = list(dict.fromkeys(condition for row in values.values() for condition in row))
    names = [_wrapped(condition, 44) for condition in conditions]
    titles = [_wrapped(method, 34) for method in values]
    columns = min(MOST_PANELS, len(values))
    rows = -(-len(values) // columns)
    margin = 0.45 + 0.078 * max(len(line) for name in names for line in name.split("\n"))  # inches, for the names
    size = (max(margin + columns * CELL, 7.0), HEADER + rows * (_panel_height(names) + _room(titles)))
    figure = titled_figure(*size, title, subtitle)
    levels = [as_trained.get(method, np.nan) for method in values]
    limits = _limits([*levels, *(value for row in values.values() for value in row.values())])
    for number, row in enumerate(values.values()):
        at_row, column = divmod(number, columns)
        bottom = size[1] - HEADER - (at_row + 1) * (_panel_height(names) + _room(titles)) + 0.55
        inches = np.array([margin + column * CELL, bottom, CELL - 0.85, _panel_height(names)])
        axes = figure.add_axes(tuple(inches / np.array([*size, *size])), facecolor=BACKGROUND)
        style_curve(axes, "", METRICS["psnr"])
        axes.set_title(titles[number], color=TEXT, size=11, loc="left", pad=20, parse_math=False)
        axes.set(xlim=limits, ylim=(len(conditions) - 0.4, -0.6))
        axes.set_yticks(range(len(conditions)), names if column == 0 else [""] * len(names))
        for text in axes.get_yticklabels():
            text.set(color=TEXT, size=9.5, parse_math=False)
        _draw_conditions(axes, conditions, row, levels[number])
    return figure


def _panel_height(names: list[str]) -> float:
    return 0.25 + (0.4 if any("\n" in name for name in names) else 0.32) * len(names)


def _room(titles: list[str]) -> float:
    """Above and below a panel: its title, the level's value, the axis."""
    return 1.1 + 0.17 * max(title.count("\n") for title in titles)


def _limits(values: list[float]) -> tuple[float, float]:
    finite = [value for value in values if np.isfinite(value)] or [0.0]
    room = 0.08 * np.ptp(finite) or 1.0
    return min(finite) - room, max(finite) + room


def _wrapped(text: str, width: int) -> str:
    return "\n".join(textwrap.wrap(text, width)) or text


def _mean(group: np.ndarray) -> float:
    return float(np.mean(group)) if group.size else np.nan


def _name_failures(axes: Axes, settings: list[float]) -> None:
    for setting in settings:
        axes.axvline(setting, color=SECOND, linewidth=0.8, linestyle=":")
        place = {"xycoords": ("data", "axes fraction"), "xytext": (3, 3), "textcoords": "offset points"}
        axes.annotate(NOT_FINITE, (setting, 0), color=SECOND, size=8.5, rotation=90, va="bottom", **place)


def _mark_default(axes: Axes, default: float, mean: float) -> None:
    axes.axvline(default, color=SECOND, linewidth=1.1, linestyle=(0, (5, 4)), zorder=1)
    axes.plot(default, mean, marker="o", markersize=9, color=SECOND, linestyle="none", zorder=4)
    axes.autoscale_view()  # now, as it would otherwise wait for drawing
    across, _ = axes.transAxes.inverted().transform(axes.transData.transform((default, mean)))
    side = "right" if across > 0.5 else "left"
    axes.set_ylim(top=axes.get_ylim()[1] + 0.1 * np.ptp(axes.get_ylim()))  # room for the text above the band
    place = {"xycoords": ("data", "axes fraction"), "textcoords": "offset points", "ha": side, "va": "top"}
    axes.annotate(
        f"default {default:g}", (default, 1), xytext=(5 if side == "left" else -5, -2), color=SECOND, size=9, **place
    )


def _draw_points(
    axes: Axes, points: Mapping[str, tuple[float, float]], colours: Mapping[str, object], level: float | None
) -> None:
    if not points:
        axes.set_axis_off()
        return
    axes.set_xscale("log")
    places = np.array(list(points.values()))
    axes.scatter(*places.T, s=50, c=[colours[label] for label in points], zorder=4)
    low, high = np.log10(places[:, 0].min()), np.log10(places[:, 0].max())
    room = max(0.14 * (high - low), 0.25 - (high - low) / 2)  # half a decade at least, so that there are ticks
    axes.set_xlim(10 ** (low - room), 10 ** (high + room))
    axes.xaxis.set_major_locator(LogLocator(subs=(1, 2, 5) if high - low < 2 else (1,)))
    axes.xaxis.set_major_formatter(EngFormatter() if low > 3 else "{x:g}")
    axes.xaxis.set_minor_formatter(NullFormatter())
    axes.margins(y=0.18)
    obstacles = []
    if level is not None and np.isfinite(level):
        axes.axhline(level, color=MUTED, linewidth=1.3, linestyle=(0, (5, 4)))
        axes.autoscale_view()  # now, as it would otherwise wait for drawing
        side, offset = ("top", -4) if level < places[:, 1].mean() else ("bottom", 4)
        place = {"xycoords": ("axes fraction", "data"), "xytext": (-2, offset), "textcoords": "offset points"}
        note = axes.annotate(f"zero-filled {level:.4g}", (1, level), ha="right", va=side, color=MUTED, size=9, **place)
        panel, text = axes.get_window_extent(), note.get_window_extent(axes.figure.canvas.get_renderer())
        _, y = axes.transData.transform((places[0, 0], level))
        obstacles = [text.extents, (panel.x0, y - 2, panel.x1, y + 2)]
    label_points(axes, points, colours, obstacles)


def _draw_conditions(axes: Axes, conditions: list[str], row: Mapping[str, float], level: float) -> None:
    """Dots with a thin line to the level, and the difference at the right."""
    if np.isfinite(level):
        axes.axvline(level, color=SECOND, linewidth=1.4)
    beside = {"xycoords": ("axes fraction", "data"), "xytext": (6, 0), "textcoords": "offset points", "va": "center"}
    for place, condition in enumerate(conditions):
        value = row.get(condition)
        if value is None:
            axes.annotate("not tested", (1, place), color=MUTED, size=8.5, **beside)
        elif not np.isfinite(value):
            axes.annotate(NOT_FINITE, (1, place), color=SECOND, size=9, **beside)
        else:
            if np.isfinite(level):
                axes.plot([level, value], [place, place], color=ACCENT, linewidth=1, alpha=0.6)
            axes.plot(value, place, marker="o", color=ACCENT, markersize=6.5, linestyle="none", zorder=4)
            change = f"{value - level:+.2f} dB".replace("-", "\N{MINUS SIGN}") if np.isfinite(level) else ""
            axes.annotate(change, (1, place), color=TEXT, size=9, **beside)
    place = {"xycoords": ("data", "axes fraction"), "textcoords": "offset points", "ha": "center", "va": "bottom"}
    if not np.isfinite(level):
        axes.annotate(
            f"as trained: {NOT_FINITE}",
            (0, 1),
            xytext=(0, 2),
            color=SECOND,
            size=8.5,
            ha="left",
            va="bottom",
            xycoords="axes fraction",
            textcoords="offset points",
        )
        return
    axes.annotate(f"as trained {level:.2f}", (level, 1), xytext=(0, 2), color=SECOND, size=8.5, **place)
