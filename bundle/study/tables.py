"""The tables of a study: methods by scans as in the paper's Tables I-IV, paired differences, conditions, costs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from ..errors import BundleError
from ..evaluation.tables import mean_std
from ..outputs import atomic_path
from . import table_notes
from .numbers import Numbers
from .plan import AS_TRAINED, Study, Table
from .protocol import main_methods
from .statistics import METRICS
from .table_formats import Cell, RenderedTable

__all__ = ["RenderedTable", "study_tables", "write_tables"]

COMPARISONS, CONDITIONS, COSTS = "comparisons", "conditions", "costs"  # the tables that every study has
HEADS = {"ssim": "SSIM ↑", "psnr": "PSNR [dB] ↑", "nmse": "NMSE ↓"}
DIGITS = {"ssim": 3, "psnr": 2, "nmse": 4}
NOT_FINITE = "not finite"
INTERVAL = "difference [95 %]"
UNITS = ((7200, 3600, "h"), (120, 60, "min"), (0, 1, "s"))  # from how many seconds on, their number, and the unit


def study_tables(study: Study, results: pd.DataFrame) -> list[RenderedTable]:
    """All tables that have any result, dataset by dataset; the costs of all datasets last.

    Args:
        study: whose tables, labels and reference are used.
        results: one row a tested subject, with the columns of ``results.csv``.

    Returns:
        the study's own tables, named as in the study, ``comparisons``, ``conditions``, and ``costs``. Of several
        datasets, each name but ``costs`` has the dataset's appended.

    Raises:
        BundleError: a table of the study has one of the three names, or the results are not fit for statistics
            (:func:`bundle.study.statistics.per_subject`).
    """
    if taken := {COMPARISONS, CONDITIONS, COSTS} & set(study.tables):
        raise BundleError(f"Every study has a table named {min(taken)!r} of its own: name that of the study otherwise.")
    numbers = Numbers(study, results)
    tables = []
    for dataset in study.datasets:
        tables += [_methods_table(study, numbers, dataset, table) for table in study.tables.values()]
        tables += [_comparisons_table(study, numbers, dataset), _conditions_table(study, numbers, dataset)]
    return [table for table in [*tables, _costs_table(study, numbers)] if table is not None]


def write_tables(tables: Sequence[RenderedTable], folder: str | Path) -> None:
    """Write ``NAME.md``, ``NAME.tex`` and ``NAME.csv`` of each; a file is replaced in one step.

    Raises:
        BundleError: a file cannot be written.
    """
    for table in tables:
        for suffix, text in ((".md", table.markdown()), (".tex", table.latex()), (".csv", table.csv())):
            with atomic_path(Path(folder) / (table.name + suffix)) as temporary:
                temporary.write_text(text, encoding="utf-8")


def _methods_table(study: Study, numbers: Numbers, dataset: str, table: Table) -> RenderedTable | None:
    """Rows are methods, column groups are scans."""
    methods = [name for name in table.methods if numbers.scans(dataset, [name])]
    if not methods or len(methods) < min(2, len(table.methods)):  # a comparison of which one row is there is none
        return None
    scans = numbers.scans(dataset, methods)
    columns = {}
    for scan in scans:
        for metric in METRICS:
            places = [(dataset, scan, method, AS_TRAINED, metric) for method in methods]
            columns[study.scans[scan].label, HEADS[metric]] = _ranked(numbers, places, metric)
    frame = _frame(columns, [("", study.methods[name].label) for name in methods])
    values = [_values(study, numbers, (dataset, scan, name, AS_TRAINED)) for scan in scans for name in methods]
    notes = table_notes.for_methods(study, numbers, dataset, methods)
    return _table(study, dataset, table.name, table.title, notes, frame, values)


def _comparisons_table(study: Study, numbers: Numbers, dataset: str) -> RenderedTable | None:
    """Rows are scans and methods, column groups are metrics."""
    methods = [name for name in main_methods(study) if name != study.reference]
    rows = [
        (scan, name)
        for scan in study.scans
        for name in methods
        if (dataset, scan, name, AS_TRAINED, METRICS[0]) in numbers.compared
    ]
    if not rows:
        return None
    columns: dict[tuple[str, str], list[Cell]] = {}
    for metric in METRICS:
        found = [numbers.compared[dataset, scan, name, AS_TRAINED, metric] for scan, name in rows]
        columns[HEADS[metric], INTERVAL] = [_difference(row, metric) for row in found]
        columns[HEADS[metric], "p"] = [Cell(_p_value(row["p"])) for row in found]
        columns[HEADS[metric], "p (Holm)"] = [Cell(_p_value(row["p_holm"])) for row in found]
    frame = _frame(columns, [(study.scans[scan].label, study.methods[name].label) for scan, name in rows])
    values = [_values(study, numbers, (dataset, scan, name, AS_TRAINED)) for scan, name in rows]
    notes = table_notes.for_comparisons(study, numbers, dataset)
    title = f"Paired differences to {study.methods[study.reference].label}"
    return _table(study, dataset, COMPARISONS, title, notes, frame, values)


def _conditions_table(study: Study, numbers: Numbers, dataset: str) -> RenderedTable | None:
    """Rows are methods as trained, then their conditions, each with its difference; column groups are scans."""
    rows = []
    for name in main_methods(study):
        found = [c for c in study.conditions if numbers.scans(dataset, [name], c)]
        rows += [(name, condition) for condition in ([AS_TRAINED, *found] if found else [])]
    if not rows:
        return None
    scans = numbers.scans(dataset, [name for name, _ in rows], *(condition for _, condition in rows))
    labels, cells = [], []
    for name, condition in rows:
        trained = condition == AS_TRAINED
        section = study.methods[name].label
        labels.append((section, "as trained" if trained else study.conditions[condition].label))
        places = [(dataset, scan, name, condition, metric) for scan in scans for metric in METRICS]
        cells.append([_mean_std(numbers.summary.get(place), place[-1]) for place in places])
        if not trained:
            labels.append((section, INTERVAL))
            cells.append([_difference(numbers.compared.get(place), place[-1]) for place in places])
    heads = [(study.scans[scan].label, HEADS[metric]) for scan in scans for metric in METRICS]
    frame = _frame(dict(zip(heads, map(list, zip(*cells)))), labels)
    values = [_values(study, numbers, (dataset, scan, *row)) for scan in scans for row in rows]
    notes = table_notes.for_conditions(study, numbers, dataset)
    title = "Tested otherwise than trained"
    return _table(study, dataset, CONDITIONS, title, notes, frame, values, corner="Tested", width=3)


def _costs_table(study: Study, numbers: Numbers) -> RenderedTable | None:
    """Rows are methods, column groups are datasets."""
    costs = numbers.costs
    if costs.empty:
        return None
    several = len(study.datasets) > 1
    methods = [name for name in main_methods(study) if name in set(costs["method"])]
    longest = costs["training_seconds_mean"].max()
    size, unit = next((size, unit) for least, size, unit in UNITS if not longest < least)
    columns: dict[tuple[str, str], list[Cell]] = {}
    for dataset in [name for name in study.datasets if name in set(costs["dataset"])]:
        group = study.datasets[dataset].label if several else ""
        rows = costs[costs["dataset"] == dataset].set_index("method").to_dict("index")
        found = [rows.get(name) for name in methods]
        columns[group, "Parameters"] = [Cell() if row is None else Cell(_count(row["parameters"])) for row in found]
        columns[group, f"Training [{unit}]"] = [_cost(row, "training_seconds", 1 / size) for row in found]
        columns[group, "Inference [ms/slice]"] = [_cost(row, "seconds_per_slice", 1000) for row in found]
    frame = _frame(columns, [("", study.methods[name].label) for name in methods])
    labels = costs["method"].map({name: method.label for name, method in study.methods.items()})
    values = costs.assign(label=labels)
    return RenderedTable(COSTS, "Costs", table_notes.for_costs(costs), frame, values)


def _table(
    study: Study,
    dataset: str,
    name: str,
    title: str,
    notes: Sequence[str],
    frame: pd.DataFrame,
    values: Sequence[Mapping[str, Any]],
    **layout: Any,
) -> RenderedTable:
    if len(study.datasets) > 1:
        name, title = f"{name}-{dataset}", f"{title}: {study.datasets[dataset].label}"
    return RenderedTable(name, title, notes, frame, pd.DataFrame([row for row in values if row]), **layout)


def _frame(columns: Mapping[tuple[str, str], list[Cell]], labels: Sequence[tuple[str, str]]) -> pd.DataFrame:
    heads = pd.MultiIndex.from_tuples(list(columns), names=["group", "column"])
    index = pd.MultiIndex.from_tuples(labels, names=["section", "row"])
    return pd.DataFrame(list(zip(*columns.values())), index=index, columns=heads)


def _ranked(numbers: Numbers, places: Sequence[tuple], metric: str) -> list[Cell]:
    """A column with its best and second best; what reads the same ranks the same, and equal columns have no best."""
    found = [numbers.summary.get(place) for place in places]
    shown = [np.nan if row is None else round(row["mean"], DIGITS[metric]) for row in found]
    order = sorted({value for value in shown if np.isfinite(value)}, reverse=metric != "nmse")
    ranks = dict(zip(order, ("best", "second"))) if len(order) > 1 else {}
    cells = []
    for place, row, value in zip(places, found, shown, strict=True):
        marked = bool(numbers.compared.get(place, {}).get("significant", False))
        cells.append(Cell(_mean_std(row, metric).text, ranks.get(value, ""), marked))
    return cells


def _mean_std(row: Mapping[str, Any] | None, metric: str) -> Cell:
    return Cell() if row is None else Cell(mean_std(_finite(row["mean"], row["std"]), DIGITS[metric]))


def _finite(mean: float, std: float) -> dict[str, float | None]:
    return {"mean": mean if np.isfinite(mean) else None, "std": std if np.isfinite(std) else None}


def _difference(row: Mapping[str, Any] | None, metric: str) -> Cell:
    if row is None:
        return Cell()
    if not np.isfinite(row["difference"]):
        return Cell(NOT_FINITE)
    text, low, high = (_signed(row[key], DIGITS[metric]) for key in ("difference", "ci_low", "ci_high"))
    if np.isfinite(row["ci_low"]):  # one subject has no interval
        text += f" [{low}, {high}]"
    return Cell(text, marked=bool(row["significant"]))


def _signed(value: float, digits: int) -> str:
    """With a sign, unless all digits that are shown are zero."""
    text = f"{value:+.{digits}f}"
    return (text if text.strip("+-0.") else text[1:]).replace("-", "−")


def _p_value(p: float) -> str:
    if np.isnan(p):
        return NOT_FINITE
    return "< 0.001" if p < 0.001 else f"{p:.3f}"


def _cost(row: Mapping[str, Any] | None, column: str, scale: float) -> Cell:
    """Mean ± standard deviation over runs, to three digits of the mean; a method without training takes no time."""
    if row is None:
        return Cell()
    mean, std = scale * row[f"{column}_mean"], scale * row[f"{column}_std"]
    digits = 0 if mean == 0 else 2 if mean < 10 else 1 if mean < 100 else 0
    return Cell(mean_std(_finite(mean, std if mean else np.nan), digits))


def _count(value: float) -> str:
    return f"{value:,.0f}" if np.isfinite(value) else NOT_FINITE


def _values(study: Study, numbers: Numbers, cell: tuple[str, str, str, str]) -> dict[str, Any]:
    """A line of the CSV, or nothing where there is no result; differences and tests are to what ``against`` tells."""
    first = numbers.summary.get((*cell, METRICS[0]))
    if first is None:
        return {}
    compared = numbers.compared.get((*cell, METRICS[0]), {})
    line = {key: first[key] for key in ("dataset", "scan", "method", "condition")}
    line |= {
        "label": study.methods[cell[2]].label,
        "n": first["n"],
        "seeds": first["seeds"],
        "sampled_acceleration": numbers.acceleration[cell],
        "against": compared.get("against", ""),
    }
    for metric in METRICS:
        row, paired = numbers.summary[*cell, metric], numbers.compared.get((*cell, metric), {})
        line |= {f"{metric}_{key}": row[key] for key in ("mean", "std", "seed_std", "ci_low", "ci_high")}
        line |= {
            f"{metric}_{name}": paired.get(key, np.nan)
            for name, key in (
                ("difference", "difference"),
                ("difference_ci_low", "ci_low"),
                ("difference_ci_high", "ci_high"),
                ("p", "p"),
                ("p_holm", "p_holm"),
            )
        }
    return line
