"""A study's statistics, looked up by what a table's cell stands for."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pandas as pd

from .plan import AS_TRAINED, Study
from .protocol import main_methods
from .statistics import CELL, compare, compare_conditions, per_subject, summary

__all__ = ["Numbers"]

Place = tuple[str, str, str, str, str]  # dataset, scan, method, condition, metric


class Numbers:
    """The statistics of all methods but those that only a sweep asks for; these would make the families larger.

    Args:
        study: what was asked for.
        results: one row a tested subject; rows of what the study does not name are left out.

    Attributes:
        summary: place -> a row of :func:`bundle.study.statistics.summary`.
        compared: place -> a row of :func:`~bundle.study.statistics.compare`, or, for other conditions than as trained,
            of :func:`~bundle.study.statistics.compare_conditions`.
        acceleration: dataset, scan, method, condition -> sampled acceleration, mean over subjects.
        costs: one row per dataset and method: ``runs``, ``parameters``, mean and std over runs of
            ``training_seconds`` and ``seconds_per_slice``, as trained.
    """

    def __init__(self, study: Study, results: pd.DataFrame) -> None:
        known = {
            "dataset": [*study.datasets],
            "scan": [*study.scans],
            "condition": [AS_TRAINED, *study.conditions],
            "method": [*{*main_methods(study), study.reference}],
        }
        results = results[results[[*known]].isin(known).all(axis=1)]
        self._scans = list(study.scans)
        self.summary = _by_place(summary(results))
        self.compared = _by_place(compare(results, study.reference)) | _by_place(compare_conditions(results))
        self.acceleration = per_subject(results).groupby(CELL)["sampled_acceleration"].mean().to_dict()
        self.costs = _costs(results)

    def scans(self, dataset: str, methods: Sequence[str], *conditions: str) -> list[str]:
        """Scans with a result of any of the methods, as trained or under any of the conditions named."""
        wanted = {(method, condition) for method in methods for condition in conditions or [AS_TRAINED]}
        found = {scan for name, scan, *rest in self.acceleration if name == dataset and tuple(rest) in wanted}
        return [scan for scan in self._scans if scan in found]

    def rows(self, dataset: str, methods: Sequence[str], condition: str = AS_TRAINED) -> list[dict[str, Any]]:
        """Summaries of all scans and metrics."""
        wanted = {(dataset, method, condition) for method in methods}
        return [row for (name, _, *rest, _), row in self.summary.items() if (name, *rest) in wanted]


def _by_place(frame: pd.DataFrame) -> dict[Place, dict[str, Any]]:
    return {tuple(row[key] for key in (*CELL, "metric")): row for row in frame.to_dict("records")}


def _costs(results: pd.DataFrame) -> pd.DataFrame:
    """Runs are counted once, however many subjects they tested."""
    timed = ["training_seconds", "seconds_per_slice"]
    tested = results[results["condition"] == AS_TRAINED]
    runs = tested.groupby(["dataset", "method", "folder"])[["parameters", *timed]].mean(skipna=False)
    groups = runs.groupby(["dataset", "method"])
    columns = {"runs": groups.size(), "parameters": groups["parameters"].mean(skipna=False)}
    for name in timed:
        columns |= {f"{name}_mean": groups[name].mean(skipna=False), f"{name}_std": groups[name].std(skipna=False)}
    return pd.DataFrame(columns).reset_index()
