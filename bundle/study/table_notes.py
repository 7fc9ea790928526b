"""What stands below a table: whose mean it is, what was really sampled, how it was measured, what tests can show."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from ..evaluation.metrics import PROFILES
from .numbers import Numbers
from .plan import AS_TRAINED, Study
from .protocol import main_methods
from .statistics import ALPHA, METRICS
from .table_formats import MARK, MISSING

__all__ = ["for_comparisons", "for_conditions", "for_costs", "for_methods"]

FEW_SUBJECTS = 10  # below, percentile intervals are clearly too narrow
SAME_ACCELERATION = 0.005
UNITS = {"ssim": ("SSIM", "", 4), "psnr": ("PSNR", " dB", 2), "nmse": ("NMSE", "", 4)}


def for_methods(study: Study, numbers: Numbers, dataset: str, methods: Sequence[str]) -> list[str]:
    """Of a table of methods by scans."""
    compared = _compared(numbers, dataset, methods)
    reference = study.methods[study.reference].label
    notes = [
        f"Mean ± standard deviation over {_subjects(study, numbers, dataset, methods)}.",
        _acceleration(study, numbers, dataset, methods),
        _metrics(study),
        f"{MARK} {_test(f'differs from {reference}')} {_smallest(study, compared)}" if compared else "",
        _between_seeds(numbers.rows(dataset, methods)),
        *_gaps(study, numbers, dataset, methods, AS_TRAINED),
    ]
    return [note for note in notes if note]


def for_comparisons(study: Study, numbers: Numbers, dataset: str) -> list[str]:
    """Of the table of paired differences."""
    compared = _compared(numbers, dataset, main_methods(study))
    reference = study.methods[study.reference].label
    notes = [
        f"Method − {reference}, paired by subject: mean over {_subjects(study, numbers, dataset, main_methods(study))}."
        " Above zero in SSIM and PSNR, and below in NMSE, is in the method's favour.",
        _interval(compared),
        f"{MARK} {_test('significant')} {_smallest(study, compared)}",
        _metrics(study),
        *_not_finite(compared, "difference"),
    ]
    return [note for note in notes if note]


def for_conditions(study: Study, numbers: Numbers, dataset: str) -> list[str]:
    """Of the table of conditions."""
    methods, conditions = main_methods(study), list(study.conditions)
    compared = _compared(numbers, dataset, methods, conditions)
    notes = [
        f"Trained networks, tested otherwise. Mean ± standard deviation over"
        f" {_subjects(study, numbers, dataset, methods)}. The difference is to the same network tested as it was"
        " trained, paired by subject.",
        _interval(compared),
        f"{MARK} {_test('significant')} {_smallest(study, compared)}" if compared else "",
        _acceleration(study, numbers, dataset, methods, conditions),
        _metrics(study),
        *_gaps(study, numbers, dataset, methods, *conditions),
    ]
    return [note for note in notes if note]


def for_costs(costs: pd.DataFrame) -> list[str]:
    """Of the table of costs."""
    runs = sorted(set(costs["runs"]))
    several = f"{runs[0]} to {runs[-1]} runs" if len(runs) > 1 else f"{runs[0]} run{'s' * (runs[0] > 1)}"
    return [
        f"Mean ± standard deviation over {several} of each method: scans, folds and seeds. Wall-clock time, so"
        " comparable only among runs on the same hardware; inference is of one slice, as trained."
    ]


def _compared(
    numbers: Numbers, dataset: str, methods: Sequence[str], conditions: Sequence[str] = (AS_TRAINED,)
) -> list[dict[str, Any]]:
    return [
        row
        for row in numbers.compared.values()
        if row["dataset"] == dataset and row["method"] in methods and row["condition"] in conditions
    ]


def _subjects(study: Study, numbers: Numbers, dataset: str, methods: Sequence[str]) -> str:
    rows = numbers.rows(dataset, methods)
    plan = study.datasets[dataset]
    folds = "" if plan.folds is None else f" ({plan.folds}-fold cross-validation, each subject tested once)"
    return f"{_count(row['n'] for row in rows)} of {plan.label}{folds}{_averaged(study, rows)}"


def _averaged(study: Study, rows: Sequence[Mapping[str, Any]]) -> str:
    seeds = sorted({row["seeds"] for row in rows if _seeds(study, row["method"]) == len(study.seeds)} or {1})
    if seeds == [1]:
        return ", one seed"
    return f", after averaging over {seeds[0]}{f' to {seeds[-1]}' if len(seeds) > 1 else ''} seeds"


def _count(numbers: Iterable[int]) -> str:
    found = sorted(set(numbers))
    if len(found) > 1:
        return f"{found[0]} to {found[-1]} subjects"
    return f"{found[0]} subject{'s' * (found[0] != 1)}"


def _acceleration(
    study: Study, numbers: Numbers, dataset: str, methods: Sequence[str], conditions: Sequence[str] = ()
) -> str:
    """Of every scan as trained; or, given conditions, of those that sample otherwise."""
    parts = []
    for condition in conditions or [AS_TRAINED]:
        for scan in numbers.scans(dataset, methods, condition):
            cells = [(dataset, scan, name) for name in methods]
            cells = [cell for cell in cells if (*cell, condition) in numbers.acceleration]
            found = [numbers.acceleration[*cell, condition] for cell in cells]
            trained = [numbers.acceleration.get((*cell, AS_TRAINED), np.nan) for cell in cells]
            if conditions and np.allclose(found, trained, atol=SAME_ACCELERATION, rtol=0):
                continue
            other = f", {study.conditions[condition].label}" if conditions else ""
            parts.append(f"{study.scans[scan].label}{other}: {_range(found)}")
    return f"Sampled acceleration, every sampled point counted: {'; '.join(parts)}." if parts else ""


def _range(values: Sequence[float]) -> str:
    low, high = min(values), max(values)
    return f"{np.mean(values):.2f}" if high - low < 2 * SAME_ACCELERATION else f"{low:.2f} to {high:.2f}"


def _metrics(study: Study) -> str:
    return f"Metrics, per volume, profile {study.profile}: {PROFILES[study.profile]}."


def _test(claim: str) -> str:
    return (
        f"{claim}: p ≤ {ALPHA:g} in a two-sided Wilcoxon signed-rank test of the differences, paired by subject,"
        " after Holm's correction for all comparisons on one dataset, scan and metric."
    )


def _smallest(study: Study, compared: Sequence[Mapping[str, Any]]) -> str:
    """What the tests could show at all; scans are named where they differ in it."""
    scans: dict[tuple, list[str]] = {}
    for row in sorted(compared, key=lambda row: list(study.scans).index(row["scan"])):
        key = (row["n"], row["comparisons"], row["smallest_p"], row["smallest_p_holm"])
        if (label := study.scans[row["scan"]].label) not in scans.setdefault(key, []):
            scans[key].append(label)
    sentences = []
    for (n, comparisons, smallest, corrected), labels in scans.items():
        where = f" ({', '.join(labels)})" if len(scans) > 1 else ""
        sentence = f"The smallest p that {n} pair{'s' * (n > 1)} can give{where} is {_p_value(smallest)}"
        if comparisons > 1:
            after = "also" if _p_value(corrected) == _p_value(smallest) else _p_value(corrected)
            sentence += f", {after} after correction for {comparisons} comparisons"
        if corrected > ALPHA:
            sentence += ", so that no difference can be significant, however large it is"
        sentences.append(sentence + ".")
    return " ".join(sentences)


def _p_value(p: float) -> str:
    return f"{p:.3f}" if p >= 0.001 else "below 0.001"


def _interval(compared: Sequence[Mapping[str, Any]]) -> str:
    if not compared:
        return ""
    text = "In brackets the 95 % percentile bootstrap interval of the mean difference"
    few = min(row["n"] for row in compared) < FEW_SUBJECTS
    return text + (f"; for fewer than about {FEW_SUBJECTS} subjects it is too narrow." if few else ".")


def _between_seeds(rows: Sequence[Mapping[str, Any]]) -> str:
    """How much another training moves a mean: the most that any method's does."""
    parts = []
    for metric in METRICS:
        spreads = [row["seed_std"] for row in rows if row["metric"] == metric and np.isfinite(row["seed_std"])]
        name, unit, digits = UNITS[metric]
        parts += [f"{max(spreads):.{digits}f}{unit} ({name})"] if spreads else []
    return f"Between seeds a method's mean has a standard deviation of at most {', '.join(parts)}." if parts else ""


def _gaps(study: Study, numbers: Numbers, dataset: str, methods: Sequence[str], *conditions: str) -> list[str]:
    rows = [row for condition in conditions for row in numbers.rows(dataset, methods, condition)]
    most = max((row["n"] for row in numbers.rows(dataset, methods)), default=0)
    short = {}
    for row in rows:
        wanted = _seeds(study, row["method"])
        missing = [f"{row['n']} of {most} subjects"] if row["n"] < most else []
        missing += [f"{row['seeds_min']} of {wanted} seeds"] if row["seeds_min"] < wanted else []
        if missing:
            place = f"{study.methods[row['method']].label}, {study.scans[row['scan']].label}"
            if row["condition"] != AS_TRAINED:
                place += f", {study.conditions[row['condition']].label}"
            short[place] = f"{place}: {', '.join(missing)}"
    scans = numbers.scans(dataset, methods, AS_TRAINED, *conditions)
    tested = {(row["method"], row["condition"]) for row in rows}
    empty = any((dataset, scan, *cell) not in numbers.acceleration for scan in scans for cell in tested)
    notes = [f"Not complete: {'; '.join(short.values())}."] if short else []
    notes += [f"{MISSING} no result."] if empty else []
    return notes + _not_finite(rows, "mean")


def _not_finite(rows: Sequence[Mapping[str, Any]], column: str) -> list[str]:
    if all(np.isfinite(row[column]) for row in rows):
        return []
    return ["Not finite: the value of at least one subject is NaN or infinite."]


def _seeds(study: Study, method: str) -> int:
    limits = study.methods[method].seeds
    return sum(limits is None or seed in limits for seed in study.seeds)
