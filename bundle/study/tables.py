"""The tables of a study: methods by scans as in the paper's Tables I-IV, paired differences, conditions, costs."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from itertools import product
from typing import Any

import numpy as np
import pandas as pd

from ..evaluation.tables import mean_std
from ..table_formats import MISSING, Cell, RenderedTable
from . import remarks
from .names import AS_TRAINED, COMPARISONS, CONDITIONS, COSTS
from .numbers import HEADS, costs, plain_numbers, tests_of
from .plan import Study

__all__ = ["RenderedTable", "study_tables"]

DIGITS = {"ssim": 3, "psnr": 2, "nmse": 4}
NOT_FINITE, INTERVAL = "not finite", "difference [95 %]"
UNITS = ((7200, 3600, "h"), (120, 60, "min"), (0, 1, "s"))  # from how many seconds on, their number, and the unit
Row = Mapping[Any, Any]  # of numbers.tests_of or numbers.costs
Columns = dict[tuple[str, str], list[Cell]]  # group and label -> cells


def study_tables(study: Study, results: pd.DataFrame) -> list[RenderedTable]:
    """All tables that have any result, dataset by dataset; the costs of all datasets last.

    They are the study's own, named as in the study, ``comparisons``, ``conditions`` and ``costs``. Of several datasets,
    each name but ``costs`` has the dataset's appended. BundleError where the results are not fit for statistics
    (:func:`bundle.study.statistics.average_seeds`).
    """
    tables: list[RenderedTable | None] = []
    for dataset in study.datasets:
        tests = _Tests(study, results, dataset)
        tables += [*map(tests.of_methods, study.tables), tests.compared(), tests.otherwise()]
    return [table for table in [*tables, _costs(study, costs(study, results))] if table is not None]


class _Tests:
    """The tests on one dataset, and the tables of them."""

    def __init__(self, study: Study, results: pd.DataFrame, dataset: str) -> None:
        self.study, self.dataset, self.tests = study, dataset, tests_of(study, results, dataset)

    def of_methods(self, name: str) -> RenderedTable | None:
        """Rows are methods, column groups are scans."""
        study, table = self.study, self.study.tables[name]
        tests = self._select(table.methods, [AS_TRAINED])
        methods = [method for method in table.methods if method in tests.index.unique("method")]
        if len(methods) < max(1, min(2, len(table.methods))):  # a comparison of which one row is there is none
            return None
        columns: Columns = {}
        for scan in tests.index.unique("scan"):
            rows = tests.reindex([(scan, method, AS_TRAINED) for method in methods])
            columns |= {(study.scans[scan].label, head): _ranked(rows, metric) for metric, head in HEADS.items()}
        labels = [("", study.methods[method].label) for method in methods]
        return self._table(name, table.title, remarks.of_methods(study, tests), tests, columns, labels)

    def compared(self) -> RenderedTable | None:
        """Rows are scans and methods, column groups are metrics."""
        study, tests = self.study, self._select(self.study.main_methods, [AS_TRAINED])
        tests = tests[tests["against"].notna()]
        if tests.empty:
            return None
        rows, columns = tests.to_dict("records"), Columns()
        for metric, head in HEADS.items():
            columns[head, INTERVAL] = [_difference(row, metric) for row in rows]
            columns[head, "p"] = [_p_value(row[f"{metric}_p"]) for row in rows]
            columns[head, "p (Holm)"] = [_p_value(row[f"{metric}_p_holm"]) for row in rows]
        labels = [(study.scans[scan].label, study.methods[method].label) for scan, method, _ in tests.index]
        title = f"Paired differences to {study.methods[study.reference].label}"
        return self._table(COMPARISONS, title, remarks.of_comparisons(study, tests), tests, columns, labels)

    def otherwise(self) -> RenderedTable | None:
        """Rows are methods as trained, then their conditions, each with its difference; column groups are scans."""
        study, conditions = self.study, [AS_TRAINED, *self.study.conditions]
        methods = self._select(study.main_methods, study.conditions).index.unique("method")
        tests = self._select(methods, conditions)
        if tests.empty:
            return None
        heads = list(product(tests.index.unique("scan"), HEADS))
        columns: Columns = {(study.scans[scan].label, HEADS[metric]): [] for scan, metric in heads}
        labels, known = [], {(method, condition) for _, method, condition in tests.index}
        for method, condition in [row for row in product(study.main_methods, conditions) if row in known]:
            names = ["as trained"] if condition == AS_TRAINED else [study.conditions[condition].label, INTERVAL]
            labels += [(study.methods[method].label, name) for name in names]
            rows = tests.reindex([(scan, method, condition) for scan, _ in heads]).to_dict("records")
            for column, row, (_, metric) in zip(columns.values(), rows, heads):
                column += [_mean_std(row, metric), _difference(row, metric)][: len(names)]
        notes, title = remarks.of_conditions(study, tests), "Tested otherwise than trained"
        return self._table(CONDITIONS, title, notes, tests, columns, labels, corner="Tested", width=3)

    def _select(self, methods: Iterable[str], conditions: Iterable[str]) -> pd.DataFrame:
        """The tests that there are, in the order of the study's scans and of what is asked for."""
        wanted = product(self.study.scans, methods, conditions)
        return self.tests.loc[[test for test in wanted if test in self.tests.index]]

    def _table(self, name: str, title: str, notes: list[str], tests: Any, *cells: Any, **layout: Any) -> RenderedTable:
        if len(self.study.datasets) > 1:
            name, title = f"{name}-{self.dataset}", f"{title}: {self.study.datasets[self.dataset].label}"
        frame = _frame(*cells)
        notes = notes + [f"{MISSING} no result."] * bool((frame == Cell()).any(axis=None))
        return RenderedTable(name, title, notes, frame, plain_numbers(tests), **layout)


def _costs(study: Study, values: pd.DataFrame) -> RenderedTable | None:
    """Rows are methods, column groups are datasets."""
    if values.empty:
        return None
    methods = [method for method in study.main_methods if method in set(values["method"])]
    longest, columns = values["training_seconds_mean"].max(), Columns()
    size, unit = next((size, unit) for least, size, unit in UNITS if not longest < least)
    for dataset in [name for name in study.datasets if name in set(values["dataset"])]:
        group = study.datasets[dataset].label if len(study.datasets) > 1 else ""
        rows = values[values["dataset"] == dataset].set_index("method").reindex(methods).to_dict("records")
        columns[group, "Parameters"] = [_cost(row, "parameters", 1) for row in rows]
        columns[group, f"Training [{unit}]"] = [_cost(row, "training_seconds", 1 / size) for row in rows]
        columns[group, "Inference [ms/slice]"] = [_cost(row, "seconds_per_slice", 1000) for row in rows]
    frame = _frame(columns, [("", study.methods[method].label) for method in methods])
    return RenderedTable(COSTS, "Costs", remarks.of_costs(values), frame, values)


def _frame(columns: Columns, labels: Sequence[tuple[str, str]]) -> pd.DataFrame:
    heads, rows = pd.MultiIndex.from_tuples(list(columns)), pd.MultiIndex.from_tuples(labels)
    return pd.DataFrame(list(zip(*columns.values())), rows, heads)


def _ranked(rows: pd.DataFrame, metric: str) -> list[Cell]:
    """A column with its best and second best; what reads the same ranks the same, and equal columns have no best."""
    shown = [round(mean, DIGITS[metric]) for mean in rows[f"{metric}_mean"]]
    order = sorted({value for value in shown if np.isfinite(value)}, reverse=metric != "nmse")
    ranks = dict(zip(order, ("best", "second"))) if len(order) > 1 else {}
    cells = [_mean_std(row, metric) for row in rows.to_dict("records")]
    marks = [mark is True for mark in rows[f"{metric}_significant"]]
    return [Cell(cell.text, ranks.get(value, ""), mark) for cell, value, mark in zip(cells, shown, marks)]


def _mean_std(row: Row, metric: str) -> Cell:
    return Cell() if np.isnan(row["n"]) else _spread(row[f"{metric}_mean"], row[f"{metric}_std"], DIGITS[metric])


def _spread(mean: float, std: float, digits: int) -> Cell:
    values = {"mean": mean, "std": std}
    return Cell(mean_std({name: value if np.isfinite(value) else None for name, value in values.items()}, digits))


def _difference(row: Row, metric: str) -> Cell:
    names = ("difference", "difference_ci_low", "difference_ci_high")
    text, low, high = (_signed(row[f"{metric}_{name}"], DIGITS[metric]) for name in names)
    interval = f" [{low}, {high}]" if NOT_FINITE not in (text, low) else ""  # one subject has no interval
    return Cell() if np.isnan(row["pairs"]) else Cell(text + interval, marked=row[f"{metric}_significant"] is True)


def _signed(value: float, digits: int) -> str:
    """With a sign, unless all digits that are shown are zero."""
    text = f"{value:+.{digits}f}" if np.isfinite(value) else NOT_FINITE
    return (text if text.strip("+-0.") else text[1:]).replace("-", "−")


def _p_value(p: float) -> Cell:
    return Cell(NOT_FINITE if np.isnan(p) else "< 0.001" if p < 0.001 else f"{p:.3f}")


def _cost(row: Row, column: str, scale: float) -> Cell:
    """Mean ± standard deviation over runs, to three digits of the mean; a method without training takes no time."""
    mean, std = scale * row.get(f"{column}_mean", 0), scale * row.get(f"{column}_std", np.nan)
    cost = _spread(mean, std if mean else np.nan, 0 if mean == 0 or mean >= 100 else 2 if mean < 10 else 1)
    return Cell() if np.isnan(row["runs"]) else Cell(f"{row[column]:,.0f}") if column in row else cost
