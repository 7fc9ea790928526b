"""What has to be known before a figure is believed, below the tables and among the report's warnings, worded once."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from ..evaluation.metrics import METRICS, PROFILES
from .numbers import HEADS, TEST
from .plan import AS_TRAINED, Study
from .statistics import ALPHA, average_seeds
from .table_formats import MARK, MISSING

__all__ = ["Caution", "cautions", "of_comparisons", "of_conditions", "of_costs", "of_methods", "smallest_p", "versions"]

FEW_SUBJECTS = 10  # below, percentile intervals are clearly too narrow
SAME_ACCELERATION = 0.005
NOT_FINITE = "Not finite: the value of at least one subject is NaN or infinite, and no mean leaves it out."
UNITS = {"ssim": "(SSIM)", "psnr": "dB (PSNR)", "nmse": "(NMSE)"}


def of_methods(study: Study, tests: pd.DataFrame) -> list[str]:
    """Below a table of methods by scans, which shows these tests (:func:`bundle.study.numbers.tests_of`)."""
    return [
        f"Mean ± standard deviation over {_subjects(study, tests)}.",
        *_acceleration(study, tests),
        _metrics(study),
        *_test(f"differs from {study.methods[study.reference].label}", study, tests),
        *_between_seeds(tests),
        *_incomplete(study, tests),
    ]


def of_comparisons(study: Study, tests: pd.DataFrame) -> list[str]:
    """Below the table of paired differences."""
    return [
        f"Method − {study.methods[study.reference].label}, paired by subject: mean over {_subjects(study, tests)}."
        " Above zero in SSIM and PSNR, and below in NMSE, is in the method's favour.",
        _interval(tests),
        *_test("significant", study, tests),
        _metrics(study),
        *_not_finite(tests, "difference"),
    ]


def of_conditions(study: Study, tests: pd.DataFrame) -> list[str]:
    """Below the table of conditions."""
    others = tests[tests.index.get_level_values("condition") != AS_TRAINED]
    return [
        f"Trained networks, tested otherwise. Mean ± standard deviation over {_subjects(study, tests)}."
        " The difference is to the same network tested as it was trained, paired by subject.",
        _interval(others),
        *_test("significant", study, others),
        *_acceleration(study, tests),
        _metrics(study),
        *_incomplete(study, tests),
    ]


def of_costs(costs: pd.DataFrame) -> list[str]:
    """Below the table of costs."""
    return [
        f"Mean ± standard deviation over {_count(costs['runs'], 'run')} of each method: scans, folds and seeds."
        " Wall-clock time, so comparable only among runs on the same hardware; inference is of one slice, as trained."
    ]


def smallest_p(n: int, comparisons: int = 1, where: str = "") -> str:
    """What n pairs could show at all, before and after correction for a number of comparisons."""
    smallest = min(2.0 ** (1 - n), 1.0)
    corrected = min(smallest * comparisons, 1.0)
    before, after = (f"{p:.3f}" if p >= 0.001 else "below 0.001" for p in (smallest, corrected))
    text = f"The smallest p that {_count([n], 'pair')} can give{where} is {before}"
    if comparisons > 1:
        text += f", {'also' if after == before else after} after correction for {comparisons} comparisons"
    return text + (", so that no difference can be significant, however large it is." if corrected > ALPHA else ".")


def gaps(study: Study, tests: pd.DataFrame) -> list[str]:
    """Tests of fewer subjects than another on the dataset, or from fewer seeds than the study asks for."""
    found = []
    for row in tests.reset_index().to_dict("records"):
        most = tests.loc[tests["dataset"] == row["dataset"], "n"].max()
        limits = study.methods[row["method"]].seeds
        wanted = [seed for seed in study.seeds if limits is None or seed in limits]
        seeds = len(wanted) if study.trains(row["method"]) else 1
        missing = [f"{row['n']} of {most} subjects"] if row["n"] < most else []
        missing += [f"{row['seeds_min']} of {seeds} seeds"] if row["seeds_min"] < seeds else []
        found += [f"{study.place(row)}: {', '.join(missing)}"] if missing else []
    return found


def versions(runs: Sequence[Mapping[str, Any]]) -> dict[str, list[str]]:
    """Package -> its versions in all runs, each once."""
    table = pd.DataFrame([run.get("versions") or {} for run in runs])
    return {str(package): sorted(found.dropna().unique()) for package, found in table.items()}


class Caution(NamedTuple):
    """A warning of the report: a heading, a sentence or two, and the cases that they speak of."""

    title: str
    text: str
    cases: Sequence[str] = ()


def cautions(study: Study, results: pd.DataFrame, runs: Sequence[Mapping[str, Any]]) -> list[Caution]:
    """All that apply, but for runs that did not finish.

    Args:
        study, results, runs: as for :func:`bundle.study.report.write_report`.
    """
    found = []
    for name, dataset in study.datasets.items():
        n = results.loc[results["dataset"] == name, "subject"].nunique()
        if n == 0:
            found.append(Caution(f"{dataset.label}: no results", "No subject was tested."))
        elif n < FEW_SUBJECTS:
            text = "Holm's correction makes it larger, and another subject may move means and intervals."
            found.append(Caution(f"{dataset.label}: {_count([n], 'subject')} only", f"{smallest_p(n)} {text}"))
    if len(study.seeds) == 1:
        text = "Every method was trained once: a small difference between methods may be chance of training, which the"
        found.append(Caution("One seed", f"{text} tests do not see."))
    broken = results[~np.isfinite(results[[*METRICS]].astype(float)).all(axis=1)].to_dict("records")
    groups = average_seeds(results).groupby(["dataset", *TEST], sort=False)
    tests = groups.agg(n=("subject", "size"), seeds_min=("seeds", "min")).reset_index("dataset")
    resumed = "These trainings were interrupted; their seconds are of the last part only."
    several = [f"{package} {', '.join(found)}" for package, found in versions(runs).items() if len(found) > 1]
    listed = [
        Caution("Values that are not finite", NOT_FINITE, [f"{row['subject']}: {study.place(row)}" for row in broken]),
        Caution("Gaps", "These means compare with the others only with care.", gaps(study, tests)),
        Caution("Different software", "The runs were not all made with the same versions.", several),
        Caution("Training times too short", resumed, [study.place(run) for run in runs if run.get("resumed")]),
    ]
    return found + [caution for caution in listed if caution.cases]


def _count(numbers: Iterable[int], what: str) -> str:
    found = sorted(set(numbers))
    several = f"{found[0]} to {found[-1]}" if len(found) > 1 else f"{found[0]}"
    return f"{several} {what}{'s' * (found != [1])}"


def _subjects(study: Study, tests: pd.DataFrame) -> str:
    dataset = study.datasets[tests["dataset"].iloc[0]]
    folds = "" if dataset.folds is None else f" ({dataset.folds}-fold cross-validation, each subject tested once)"
    seeds = tests["seeds"].max()
    averaged = ", one seed" if seeds == 1 else f", after averaging over {_count([seeds], 'seed')}"
    return f"{_count(tests['n'], 'subject')} of {dataset.label}{folds}{averaged}"


def _metrics(study: Study) -> str:
    return f"Metrics, per volume, profile {study.profile}: {PROFILES[study.profile]}."


def _acceleration(study: Study, tests: pd.DataFrame) -> list[str]:
    """Of every scan as trained; of conditions, if there are any, only where they sample otherwise."""
    values = tests["sampled_acceleration"].unstack("condition")
    others = [condition for condition in study.conditions if condition in values]
    parts = []
    for condition in others or [AS_TRAINED]:
        for scan in tests.index.unique("scan"):
            found, trained = values.loc[[scan], condition].dropna(), values.loc[[scan], AS_TRAINED]
            same = np.allclose(found, trained[found.index], atol=SAME_ACCELERATION, rtol=0)
            if len(found) and not (others and same):
                other = f", {study.conditions[condition].label}" if others else ""
                spread = np.ptp(found) >= 2 * SAME_ACCELERATION
                value = f"{found.min():.2f} to {found.max():.2f}" if spread else f"{found.mean():.2f}"
                parts.append(f"{study.scans[scan].label}{other}: {value}")
    return [f"Sampled acceleration, every sampled point counted: {'; '.join(parts)}."] if parts else []


def _test(claim: str, study: Study, tests: pd.DataFrame) -> list[str]:
    """What the mark means, and what the tests could show at all; scans are named where they differ in it."""
    families = tests[tests["against"].notna()].groupby(["pairs", "comparisons"], sort=False)
    limits = []
    for (pairs, comparisons), family in families:
        labels = ", ".join(study.scans[scan].label for scan in family.index.unique("scan"))
        limits.append(smallest_p(int(pairs), int(comparisons), f" ({labels})" * (len(families) > 1)))
    text = (
        f"{MARK} {claim}: p ≤ {ALPHA:g} in a two-sided Wilcoxon signed-rank test of the differences, paired by subject,"
        " after Holm's correction for all comparisons on one dataset, scan and metric."
    )
    return [" ".join([text, *limits])] if limits else []


def _interval(tests: pd.DataFrame) -> str:
    few = f"; for fewer than about {FEW_SUBJECTS} subjects it is too narrow" * bool(
        (tests["pairs"] < FEW_SUBJECTS).any()
    )
    return f"In brackets the 95 % percentile bootstrap interval of the mean difference{few}."


def _between_seeds(tests: pd.DataFrame) -> list[str]:
    """How much another training moves a mean: the most that any method's does."""
    most = {unit: tests[f"{metric}_seed_std"].max() for metric, unit in UNITS.items()}
    parts = [f"{value:.2g} {unit}" for unit, value in most.items() if np.isfinite(value)]
    return [f"Between seeds a method's mean has a standard deviation of at most {', '.join(parts)}."] if parts else []


def _incomplete(study: Study, tests: pd.DataFrame) -> list[str]:
    short = gaps(study, tests)
    notes = [f"Not complete: {'; '.join(short)}."] if short else []
    empty = len(tests) < len(tests.index.unique("scan")) * len(tests.index.droplevel("scan").unique())
    notes += [f"{MISSING} no result."] if empty else []
    return notes + _not_finite(tests, "mean")


def _not_finite(tests: pd.DataFrame, column: str) -> list[str]:
    return [] if np.isfinite(tests[[f"{metric}_{column}" for metric in HEADS]]).all(axis=None) else [NOT_FINITE]
