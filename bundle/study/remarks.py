"""What has to be known before a figure is believed, below the tables and among the report's warnings, worded once."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from ..counted import counted
from ..evaluation.metrics import METRICS, PROFILES
from ..table_formats import MARK
from .names import AS_TRAINED
from .numbers import HEADS, TEST
from .plan import Study
from .statistics import ALPHA, average_seeds

__all__ = ["Caution", "cautions", "of_comparisons", "of_conditions", "of_costs", "of_methods", "versions"]

FEW_SUBJECTS = 10  # below, percentile intervals are clearly too narrow
SAME_ACCELERATION = 0.005
NOT_FINITE = "Not finite: the value of at least one subject is NaN or infinite, and no mean leaves it out."
UNITS = {"ssim": "(SSIM)", "psnr": "dB (PSNR)", "nmse": "(NMSE)"}


class Caution(NamedTuple):
    """A warning of the report: a heading, a sentence or two, and the cases that they speak of."""

    title: str
    text: str
    cases: Sequence[str] = ()


def of_methods(study: Study, tests: pd.DataFrame) -> list[str]:
    """Below a table of methods by scans, which shows these tests (:func:`bundle.study.numbers.tests_of`)."""
    shared = _shared(study, tests, tests, f"differs from {study.methods[study.reference].label}")
    return [f"Mean ± standard deviation over {_subjects(study, tests)}.", *shared, *_between_seeds(tests)]


def of_comparisons(study: Study, tests: pd.DataFrame) -> list[str]:
    """Below the table of paired differences."""
    text = f"Method − {study.methods[study.reference].label}, paired by subject: mean over {_subjects(study, tests)}."
    text += " Above zero in SSIM and PSNR, and below in NMSE, is in the method's favour."
    return [text, _interval(tests), *_shared(study, tests, tests, "significant")]


def of_conditions(study: Study, tests: pd.DataFrame) -> list[str]:
    """Below the table of conditions."""
    others = tests[tests.index.get_level_values("condition") != AS_TRAINED]
    text = f"Trained networks, tested otherwise. Mean ± standard deviation over {_subjects(study, tests)}."
    text += " The difference is to the same network tested as it was trained, paired by subject."
    return [text, _interval(others), *_shared(study, tests, others, "significant")]


def of_costs(costs: pd.DataFrame) -> list[str]:
    """Below the table of costs."""
    text = f"Mean ± standard deviation over {counted(costs['runs'], 'run')} of each method: scans, folds and seeds."
    text += (
        " Wall-clock time, so comparable only among runs on the same hardware; inference is of one slice, as trained."
    )
    return [text]


def cautions(study: Study, results: pd.DataFrame, runs: Sequence[Mapping[str, Any]]) -> list[Caution]:
    """All that apply; the arguments are those of :func:`bundle.study.report.write_report`."""
    found = []
    for name, dataset in study.datasets.items():
        n = results.loc[results["dataset"] == name, "subject"].nunique()
        text = f"{_smallest_p(n)} Holm's correction makes it larger, and another subject may move means and intervals."
        if n < FEW_SUBJECTS:
            found.append(Caution(f"{dataset.label}: {counted(n, 'subject')}", text if n else "There are no results."))
    if len(study.seeds) == 1:
        text = "Every method was trained once: a small difference may be chance of training, which no test here sees."
        found.append(Caution("One seed", text))
    broken = results[~np.isfinite(results[[*METRICS]].astype(float)).all(axis=1)].to_dict("records")
    tests = average_seeds(results).groupby(["dataset", *TEST], sort=False)
    tests = tests.agg(n=("subject", "size"), seeds_min=("seeds", "min")).reset_index("dataset")
    resumed = "These trainings were interrupted; their seconds are of the last part only."
    several = [f"{package} {', '.join(found)}" for package, found in versions(runs).items() if len(found) > 1]
    lost = [f"{run['status']} {study.place(run)}: {run['error'] or ''}" for run in runs if run["status"] != "done"]
    listed = [
        Caution(f"{len(lost)} of {len(runs)} runs did not finish", "The figures below lack them.", lost),
        Caution("Values that are not finite", NOT_FINITE, [f"{row['subject']}: {study.place(row)}" for row in broken]),
        Caution("Gaps", "These means compare with the others only with care.", _gaps(study, tests)),
        Caution("Different software", "The runs were not all made with the same versions.", several),
        Caution("Training times too short", resumed, [study.place(run) for run in runs if run.get("resumed")]),
    ]
    return found + [caution for caution in listed if caution.cases]


def versions(runs: Sequence[Mapping[str, Any]]) -> dict[str, list[str]]:
    """Package -> its versions in all runs, each once."""
    table = pd.DataFrame([run.get("versions") or {} for run in runs])
    return {str(package): sorted(found.dropna().unique()) for package, found in table.items()}


def _shared(study: Study, tests: pd.DataFrame, compared: pd.DataFrame, claim: str) -> list[str]:
    """What every table's notes tell: what was sampled and measured, what the mark means, what is missing."""
    metrics = f"Metrics, per volume, profile {study.profile}: {PROFILES[study.profile]}."
    gaps = _gaps(study, tests)
    notes = [*_acceleration(study, tests), metrics, *_test(claim, study, compared)]
    notes += [f"Not complete: {'; '.join(gaps)}."] if gaps else []
    differences = compared.loc[compared["against"].notna(), [f"{metric}_difference" for metric in HEADS]].astype(float)
    finite = np.isfinite(tests[[f"{metric}_mean" for metric in HEADS]]).all(axis=None)
    return notes if finite and np.isfinite(differences).all(axis=None) else [*notes, NOT_FINITE]


def _subjects(study: Study, tests: pd.DataFrame) -> str:
    dataset, seeds = study.datasets[tests["dataset"].iloc[0]], tests["seeds"].max()
    folds = "" if dataset.folds is None else f" ({dataset.folds}-fold cross-validation, each subject tested once)"
    averaged = "one seed" if seeds == 1 else f"after averaging over {seeds} seeds"
    return f"{counted(tests['n'], 'subject')} of {dataset.label}{folds}, {averaged}"


def _acceleration(study: Study, tests: pd.DataFrame) -> list[str]:
    """Of every scan as trained; of conditions, if there are any, only where they sample otherwise."""
    values, parts = tests["sampled_acceleration"].unstack("condition"), []
    others = [condition for condition in study.conditions if condition in values]
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
    families = list(tests[tests["against"].notna()].groupby(["pairs", "comparisons"], sort=False))
    text = f"{MARK} {claim}: p ≤ {ALPHA:g} in a two-sided Wilcoxon signed-rank test of the differences, paired by"
    text += " subject, after Holm's correction for all comparisons on one dataset, scan and metric."
    for _, family in families:
        labels = ", ".join(study.scans[scan].label for scan in family.index.unique("scan"))
        size = int(family["pairs"].iloc[0]), int(family["comparisons"].iloc[0])
        text += " " + _smallest_p(*size, where=f" ({labels})" * (len(families) > 1))
    return [text] if families else []


def _smallest_p(n: int, comparisons: int = 1, where: str = "") -> str:
    """What n pairs could show at all, before and after correction for a number of comparisons."""
    smallest = min(2.0 ** (1 - n), 1.0)
    corrected = min(smallest * comparisons, 1.0)
    before, after = (f"{p:.3f}" if p >= 0.001 else "below 0.001" for p in (smallest, corrected))
    text = f"The smallest p that {counted(n, 'pair')} can give{where} is {before}"
    if comparisons > 1:
        text += f", {'also' if after == before else after} after correction for {comparisons} comparisons"
    return text + (", so that no difference can be significant, however large it is." if corrected > ALPHA else ".")


def _interval(tests: pd.DataFrame) -> str:
    narrow = f"; for fewer than about {FEW_SUBJECTS} subjects it is too narrow"
    few = (tests["pairs"] < FEW_SUBJECTS).any()
    return f"In brackets the 95 % percentile bootstrap interval of the mean difference{narrow if few else ''}."


def _between_seeds(tests: pd.DataFrame) -> list[str]:
    """How much another training moves a mean: the most that any method's does."""
    most = {unit: tests[f"{metric}_seed_std"].max() for metric, unit in UNITS.items()}
    parts = [f"{value:.2g} {unit}" for unit, value in most.items() if np.isfinite(value)]
    return [f"Between seeds a method's mean has a standard deviation of at most {', '.join(parts)}."] if parts else []


def _gaps(study: Study, tests: pd.DataFrame) -> list[str]:
    """Tests of fewer subjects than another on the dataset, or from fewer seeds than the study asks for."""
    found, most = [], tests.groupby("dataset")["n"].max()
    for row in tests.reset_index().to_dict("records"):
        subjects, seeds = most[row["dataset"]], len(study.seeds_of(row["method"]))
        missing = [f"{row['n']} of {subjects} subjects"] if row["n"] < subjects else []
        missing += [f"{row['seeds_min']} of {seeds} seeds"] if row["seeds_min"] < seeds else []
        found += [f"{study.place(row)}: {', '.join(missing)}"] if missing else []
    return found
