"""All figures of a study, drawn from what its runs left on disk and written to its folder ``figures``."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import pandas as pd
from matplotlib.figure import Figure

from ..plotting import save_figure
from .curves import QUALITY, conditions_figure, quality_figure, sweep_figure
from .page import add_heading
from .plan import AS_TRAINED, Study
from .reconstructions import compare_reconstructions
from .statistics import average_seeds

__all__ = ["Drawing", "draw_all"]

ZERO_FILLED = "zero_filled"  # the method that is the level of comparison where a study has it
Drawn = Iterator[tuple[str, str, str, Figure]]  # key, what it shows, note, figure; of one dataset and scan


@dataclass(frozen=True)
class Drawing:
    """A figure on disk.

    Attributes:
        kind: ``comparison``, ``sweep``, ``quality`` or ``conditions``.
        caption: dataset, scan, and what it shows.
        path: a PNG file.
    """

    kind: str
    caption: str
    path: Path


def draw_all(study: Study, results: pd.DataFrame, output_dir: str | Path) -> list[Drawing]:
    """Draw all figures of a study; what has no results yet is left out.

    Args:
        study: what was compared.
        results: the study's ``results.csv``.
        output_dir: the study's folder; figures go to ``figures/`` in it.

    Raises:
        BundleError: a file cannot be read or written.
    """
    kinds = {"comparison": _comparisons, "sweep": _sweeps, "quality": _qualities, "conditions": _conditions}
    results, folder = results[results.method.isin(list(study.methods))], Path(output_dir)
    drawings = []
    for kind, draw in kinds.items():
        for dataset, own in study.datasets.items():
            for scan, its in study.scans.items():
                rows = results[(results.dataset == dataset) & (results.scan == scan)]
                for key, what, note, figure in draw(study, rows, folder):
                    name = "-".join(filter(None, (kind, dataset, scan, key)))
                    caption = f"{own.label}, {its.label}: {what}"
                    add_heading(figure, caption, note)
                    drawings.append(Drawing(kind, caption, folder / "figures" / f"{name}.png"))
                    save_figure(figure, drawings[-1].path)
    return drawings


def _comparisons(study: Study, rows: pd.DataFrame, folder: Path) -> Drawn:
    """For each table a slice by all its methods that have results, each with its first seed."""
    rows = rows[rows.condition == AS_TRAINED]
    for key, table in study.tables.items():
        methods = {}
        for name in table.methods:
            own = rows[rows.method == name]
            seed = next((seed for seed in study.seeds if (own.seed == seed).any()), None)
            if seed is not None:
                methods[study.methods[name].label] = own[own.seed == seed]
        if methods and len(methods) >= min(2, len(table.methods)):
            if found := compare_reconstructions(methods, folder):
                figure, note = found
                yield key, table.title, note, figure


def _sweeps(study: Study, rows: pd.DataFrame, folder: Path) -> Drawn:
    """For each sweep, if two values or more have results."""
    subjects = average_seeds(rows[rows.condition == AS_TRAINED])
    for key, sweep in study.sweeps.items():
        points = study.points(key)
        groups = {value: subjects[subjects.method == name] for value, name in points.items()}
        groups = {value: group for value, group in groups.items() if len(group)}
        if len(groups) > 1:
            values = {value: {name: group[name] for name in QUALITY} for value, group in groups.items()}
            default = next((value for value, name in points.items() if name == sweep.method), None)
            figure = sweep_figure(values, sweep.label, default)
            yield key, sweep.label, f"{study.methods[sweep.method].label}, {_over(list(groups.values()))}", figure


def _qualities(study: Study, rows: pd.DataFrame, folder: Path) -> Drawn:
    """Quality and cost of all methods but those that only a sweep asks for."""
    subjects = average_seeds(rows[rows.condition == AS_TRAINED])
    groups = {name: subjects[subjects.method == name] for name in study.main_methods}
    groups = {name: group for name, group in groups.items() if len(group)}
    columns = [*QUALITY, "parameters", "seconds_per_slice"]
    means = {name: group[columns].mean(skipna=False).to_dict() for name, group in groups.items()}
    zero_filled = means.pop(ZERO_FILLED, None)
    if means:
        figure = quality_figure({study.methods[name].label: row for name, row in means.items()}, zero_filled)
        yield "", "quality and cost", _over(list(groups.values())), figure


def _conditions(study: Study, rows: pd.DataFrame, folder: Path) -> Drawn:
    """Networks that were tested otherwise than trained."""
    groups = {names: group["psnr"] for names, group in average_seeds(rows).groupby(["method", "condition"])}
    means = {names: float(group.mean(skipna=False)) for names, group in groups.items()}
    values: dict[str, dict[str, float]] = {}
    for name, method in study.methods.items():
        for key, condition in study.conditions.items():
            if (name, key) in means:
                values.setdefault(method.label, {})[condition.label] = means[name, key]
    trained = {study.methods[name].label: mean for (name, condition), mean in means.items() if condition == AS_TRAINED}
    if values:
        note = f"{_over(list(groups.values()))}; numbers: difference from as trained"
        yield "", "tested otherwise than trained", note, conditions_figure(values, trained)


def _over(groups: Sequence) -> str:
    """What the numbers are means of; methods of an unfinished study may have different numbers of subjects."""
    counts = sorted({len(group) for group in groups})
    numbers = f"{counts[0]} to {counts[-1]} subjects" if len(counts) > 1 else f"{counts[0]} subjects"
    return f"mean over {numbers}, seeds averaged first" if counts != [1] else "one subject, seeds averaged"
