"""Inserted structures in numbers and curves: what survives, is invented and is detected, by size and contrast."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from scipy import stats

from ..outputs import write_text
from ..plotting import ACCENT, BACKGROUND, MUTED, SECOND, TEXT, dark_figure, save_figure, style_curve
from .intervals import interval

__all__ = ["summarise_structures", "write_structures"]

MEASURES = ("survives", "zf_survives", "survives_ring", "survives_sampled", "survives_guessed", "invented")
SCORES = ("score", "score_without", "score_full", "score_full_without")
SERIES = ("where", "contrast", "t1_contrast")  # one curve each
STYLES = ("-", "--", ":", "-.")
HALF = 0.5
BELOW: dict[str, Any] = {"frameon": False, "labelcolor": TEXT, "fontsize": 7.5}  # the legends


def write_structures(rows: Sequence[Mapping[str, Any]], output_dir: Path, network_name: str) -> None:
    """Write the rows of :class:`~bundle.evaluation.InsertedStructures`, their summary and the curves."""
    table = pd.DataFrame(rows).reindex(columns=[*dict.fromkeys([*rows[0], *MEASURES, *SCORES])])
    summary = summarise_structures(table)
    text = table.to_csv(index=False, float_format="%.4g", lineterminator="\n")
    write_text(output_dir / "structures.csv", text)
    content = {"network": network_name, "places": len(table[["volume", "place"]].drop_duplicates()), **summary}
    write_text(output_dir / "structures_summary.json", json.dumps(content, indent=2, allow_nan=False) + "\n")
    save_figure(_curves(pd.DataFrame(summary["structures"]), network_name), output_dir / "figures" / "structures.png")


def summarise_structures(table: pd.DataFrame) -> dict[str, Any]:
    """Means over places and subjects.

    Args:
        table: rows as in ``structures.csv``.

    Returns:
        ``structures``: for each image that has them (``where``), pair of contrasts and ``diameter_mm`` the mean of
        what was measured, with ``_low`` and ``_high``, the 95 % percentile bootstrap interval over all places of all
        subjects, None for a single place;
        ``roc_area`` and ``roc_area_full``, the area under the ROC of the matched filter on the reconstruction and on
        the noisy fully sampled scan, places with the structure against the same places without, the filter being
        bright or dark as the structure is in T2.
        ``half_survives_from_mm``: for each ``where`` and pair of contrasts the smallest diameter from which on half
        survives on average, in the reconstruction and in the zero-filled image; None where the largest does not.
    """
    found = []
    for known, group in table.groupby([*SERIES, "diameter_mm"], sort=True):
        row = dict(zip((*SERIES, "diameter_mm"), known)) | {"n": len(group)}
        for name in MEASURES:
            if group[name].notna().all():
                values = (group[name].mean(), *interval(group[name]))
                rounded = [None if np.isnan(value) else round(float(value), 4) for value in values]
                row |= dict(zip((name, f"{name}_low", f"{name}_high"), rounded))
        scores = {name: group[name] * np.sign(row["contrast"]) for name in SCORES}
        row["roc_area"] = roc_area(scores["score"], scores["score_without"])
        row["roc_area_full"] = roc_area(scores["score_full"], scores["score_full_without"])
        found.append(row)
    return {"structures": found, "half_survives_from_mm": _half_from(pd.DataFrame(found))}


def roc_area(present: Sequence[float] | pd.Series, absent: Sequence[float] | pd.Series) -> float | None:
    """The chance that a score with the structure is above one without: Mann and Whitney's U over all pairs.

    None where a score is NaN.
    """
    statistic = stats.mannwhitneyu(present, absent).statistic
    return None if np.isnan(statistic) else round(float(statistic) / (len(present) * len(absent)), 4)


def _half_from(rows: pd.DataFrame) -> list[dict[str, Any]]:
    found = []
    for known, group in rows[rows["where"] != "t1"].groupby([*SERIES]):
        row: dict[str, Any] = dict(zip(SERIES, known))
        for name in MEASURES[:2]:
            falling = group.sort_values("diameter_mm", ascending=False)
            level = falling.get(name, pd.Series(np.nan, falling.index))
            enough = falling.diameter_mm[(level >= HALF).cummin()]
            row[name] = float(enough.min()) if len(enough) else None
        found.append(row)
    return found


def _curves(rows: pd.DataFrame, network_name: str) -> Figure:
    """Three panels against the diameter; the strongest contrast is a full line, the others are broken."""
    figure = dark_figure(12, 4.7)
    survives, invents, detects = figure.subplots(1, 3, subplot_kw={"facecolor": BACKGROUND})
    figure.subplots_adjust(0.05, 0.29, 0.98, 0.92, 0.2)
    pairs = sorted(set(zip(rows.contrast, rows.t1_contrast)), key=lambda pair: (-abs(pair[0]), -abs(pair[1])))
    for (where, *pair), group in rows.groupby([*SERIES]):
        line = {"linestyle": STYLES[pairs.index(tuple(pair)) % len(STYLES)], "marker": "o", "markersize": 3}
        text, in_t1 = f"{pair[0]:+.0%}", f"{pair[1]:+.0%} in T1"
        if where == "t1":
            _line(invents, group, "invented", SECOND, f"{network_name}, {in_t1}", **line)
            continue
        colour = ACCENT if where == "t2" else SECOND
        label = f"{network_name}, {f'T2 alone, {text}' if where == 't2' else f'both, {text} ({in_t1})'}"
        _line(survives, group, "survives", colour, label, **line)
        if where == "t2":
            _line(survives, group, "zf_survives", MUTED, f"zero-filled, {text}", **line)
            _line(detects, group, "roc_area", ACCENT, f"{network_name}, {text}", **line)
            _line(detects, group, "roc_area_full", TEXT, f"fully sampled, {text}", **line)
    style_curve(survives, "survives", "diameter [mm]")
    style_curve(invents, "invented in T2, over T1's contrast", "diameter [mm]")
    style_curve(detects, "area under the ROC", "diameter [mm]")
    for axes, level in ((survives, HALF), (invents, 0), (detects, HALF)):
        axes.axhline(level, color=MUTED, linewidth=0.7)
        axes.legend(loc="upper center", bbox_to_anchor=(0.5, -0.15), ncols=2, **BELOW)
    return figure


def _line(axes: Axes, group: pd.DataFrame, name: str, colour: str, label: str, **style: Any) -> None:
    level = group.get(name, pd.Series(np.nan, group.index))  # not there where nothing finite was measured
    axes.plot(group.diameter_mm, level, color=colour, label=label, **style)
    if f"{name}_low" in group:
        low, high = (group[f"{name}_{end}"].astype(float) for end in ("low", "high"))
        axes.fill_between(group.diameter_mm, low, high, color=colour, alpha=0.15, lw=0)
