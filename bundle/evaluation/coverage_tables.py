"""Coverage in numbers and in a figure: by region and scan, and how uncertain inserted structures are."""

from __future__ import annotations

import json
import logging
from collections.abc import Mapping, Sequence
from pathlib import Path
from textwrap import fill
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from ..data.nifti_files import some
from ..outputs import write_text
from ..plotting import ACCENT, BACKGROUND, MUTED, SECOND, TEXT, dark_figure, save_figure, style_curve
from ..table_formats import aligned
from .calibration import Calibration
from .coverage_regions import INSERTED, REGIONS

_logger = logging.getLogger(__name__)

__all__ = ["summarise_coverage", "write_coverage"]

TITLES = {"head": "head", "edges": "edges", "t2_alone": "structures, T2 alone", "t1_alone": "structures, T1 alone"}
TITLES |= {"around": "around structures", "background": "background"}
COLUMNS = "subject volume pattern acceleration region place voxels coverage sd rms_error rank_correlation".split()


def write_coverage(
    rows: Sequence[Mapping[str, Any]], output_dir: Path, network_name: str, calibration: Calibration
) -> None:
    """Write the rows of :class:`~bundle.evaluation.Coverage`, their summary and the figure, and print a table."""
    table, promised = pd.DataFrame(rows).reindex(columns=COLUMNS), calibration.coverage
    if known := sorted(set(table.subject) & set(calibration.subjects)):
        _logger.warning("The uncertainty was calibrated on %s, so that coverage there is no test of it.", some(known))
    write_text(output_dir / "coverage.csv", table.to_csv(index=False, float_format="%.4g", lineterminator="\n"))
    summary = summarise_coverage(table)
    content = {"network": network_name, "promised": promised, "calibration": calibration.record(), **summary}
    write_text(output_dir / "coverage_summary.json", json.dumps(content, indent=2, allow_nan=False) + "\n")
    print(f"Share of errors within the interval that is to hold {promised:.0%}, means over subjects:")
    print(_in_words(summary["coverage"]))
    save_figure(_figure(summary, network_name, promised), output_dir / "figures" / "coverage.png")


def summarise_coverage(table: pd.DataFrame) -> dict[str, Any]:
    """Means over subjects.

    Args:
        table: rows as in ``coverage.csv``.

    Returns:
        ``coverage``: for each scan and region the ``mean`` over subjects and the ``lowest`` of them, the voxels of a
        volume and the volumes of a subject counting alike; ``subjects``: the same of each subject over all scans;
        ``over_surroundings``: for each scan and kind of structure the median over places of the mean standard deviation
        in it over that around it, and the share of ``places`` where it is ``above`` 1.
    """
    by = ["pattern", "acceleration", "region", "subject"]
    weighed = table.assign(covered=table.coverage * table.voxels)
    volumes = weighed.groupby([*by, "volume"], sort=False)[["covered", "voxels"]].sum()
    own = (volumes.covered / volumes.voxels).rename("coverage").groupby(level=by, sort=False).mean().reset_index()
    scans = own.groupby(by[:3], sort=False).coverage.agg(mean="mean", lowest="min").round(4).reset_index()
    subjects = own.groupby(["subject", "region"], sort=False).coverage.mean().round(4).reset_index()
    records = {"coverage": scans.to_dict("records"), "subjects": subjects.to_dict("records")}
    return records | {"over_surroundings": over_surroundings(table)}


def over_surroundings(table: pd.DataFrame) -> list[dict[str, Any]]:
    """See :func:`summarise_coverage`."""
    place = ["volume", "pattern", "acceleration", "place"]
    around = table[table.region == "around"].set_index(place).sd.rename("around")
    inside = table[table.region.isin(INSERTED)].join(around, on=place)
    inside["ratio"] = inside.sd / inside.around
    groups = inside.dropna(subset="ratio").groupby(["pattern", "acceleration", "region"], sort=False).ratio
    found = groups.agg(median="median", above=lambda ratio: (ratio > 1).mean(), places="size")
    return found.round(4).reset_index().to_dict("records")


def _in_words(rows: Sequence[Mapping[str, Any]]) -> str:
    table = pd.DataFrame(rows).pivot_table("mean", ["pattern", "acceleration"], "region", sort=False)
    regions = [name for name in REGIONS if name in table]
    lines = [["scan", *map(TITLES.__getitem__, regions)], ["---"] * (1 + len(regions))]
    for (pattern, acceleration), row in table.iterrows():
        lines.append([f"{pattern} {acceleration:g}x", *(f"{row[name]:.3f}" for name in regions)])
    return aligned(lines)


def _figure(summary: Mapping[str, Any], network_name: str, promised: float) -> Figure:
    """Coverage by region, a mark a scan; and by scan the uncertainty of structures over their surroundings'."""
    figure = dark_figure(12, 4.8)
    left, right = figure.subplots(1, 2, width_ratios=(1.25, 1), subplot_kw={"facecolor": BACKGROUND})
    figure.subplots_adjust(0.06, 0.27, 0.985, 0.9, 0.14)
    table = pd.DataFrame(summary["coverage"])
    _coverage(left, table, promised)
    style_curve(left, f"{network_name}: errors in the interval that is to hold {promised:.0%}", "")
    ratios = pd.DataFrame(summary["over_surroundings"])
    scans = list(dict.fromkeys(zip(table.pattern, table.acceleration)))
    for name, colour, shift in zip(INSERTED, (ACCENT, SECOND), (-0.12, 0.12)):
        own = ratios[ratios.region == name] if len(ratios) else ratios
        x = [scans.index(scan) + shift for scan in zip(own.pattern, own.acceleration)] if len(own) else []
        right.plot(x, own["median"] if len(own) else [], "o", color=colour, label=TITLES[name])
    right.axhline(1, color=MUTED, linewidth=0.7)
    right.set_xticks(range(len(scans)), [f"{pattern} {speed:g}x" for pattern, speed in scans], rotation=40, ha="right")
    style_curve(right, "standard deviation in structures, over that around them", "")
    right.legend(loc="upper center", bbox_to_anchor=(0.5, -0.21), ncols=2, frameon=False, labelcolor=TEXT, fontsize=7.5)
    return figure


def _coverage(axes: Axes, table: pd.DataFrame, promised: float) -> None:
    regions = [name for name in REGIONS if name in set(table.region)]
    patterns = list(dict.fromkeys(table.pattern))
    colours = dict(zip(patterns, (ACCENT, SECOND, "#b5e48c", "#f28ab2", TEXT, MUTED)))
    speeds = sorted(set(table.acceleration))
    for (pattern, speed), group in table.groupby(["pattern", "acceleration"], sort=False):
        shift = np.linspace(-0.3, 0.3, len(patterns))[patterns.index(pattern)] if len(patterns) > 1 else 0
        shift += 0.06 * (speeds.index(speed) - (len(speeds) - 1) / 2)
        x = [regions.index(name) + shift for name in group.region]
        marker = "osD^vP"[speeds.index(speed) % 6]
        label = f"{pattern} {speed:g}x"
        axes.plot(x, group["mean"], marker, color=colours.get(pattern, TEXT), markersize=5, label=label)
    axes.axhline(promised, color=TEXT, linewidth=0.8)
    axes.set_xticks(range(len(regions)), [fill(TITLES[name], 12) for name in regions])
    place: dict[str, Any] = {"loc": "upper center", "bbox_to_anchor": (0.5, -0.14), "ncols": len(patterns)}
    axes.legend(**place, frameon=False, labelcolor=TEXT, fontsize=7.5)
