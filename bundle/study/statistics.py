"""What a study's results amount to: mean, spread, intervals and paired tests, over subjects.

The unit is the *subject*. A subject's value is the mean over seeds; mean, standard deviation, bootstrap interval and
test are then over subjects, so that training twice does not make a study look twice as large. How much the seed matters
is a column of its own. A value that is not finite never drops out: it makes whatever it enters NaN (or infinite).

*Intervals* are 95 % percentile bootstrap intervals, from a generator of their own with one seed, so that equal results
give equal tables in whatever order they come. BCa intervals correct by a jackknife, which is undefined for equal values
and meaningless for three subjects. Below about ten subjects percentile intervals are too narrow.

*Tests* are two-sided Wilcoxon signed-rank tests of paired differences, exact up to 50 subjects without ties or zeros
and up to 13 subjects with them, by the normal approximation otherwise. They are corrected with Holm's method within a
family: all comparisons on one dataset, scan and metric.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd
from scipy import stats

from ..errors import BundleError
from ..evaluation.intervals import interval
from ..evaluation.metrics import METRICS
from .names import AS_TRAINED

__all__ = ["ALPHA", "average_seeds", "compare", "compare_conditions", "holm", "summary"]

ALPHA = 0.05  # of the tests
CELL = ["dataset", "scan", "method", "condition"]
FAMILY = ["dataset", "scan", "metric"]
AVERAGED = [*METRICS, "sampled_acceleration", "parameters", "seconds_per_slice", "training_seconds"]
SUMMARY = [*CELL, "metric", "n", "seeds_min", "seeds", "mean", "std", "seed_std", "ci_low", "ci_high"]
COMPARED = [*CELL, "metric", "against", "n", "difference", "ci_low", "ci_high", "p"]


def average_seeds(results: pd.DataFrame) -> pd.DataFrame:
    """Average over seeds, and over nothing else.

    Args:
        results: one row per dataset, scan, method, condition, seed and subject, with at least those columns and
            nmse, psnr [dB], ssim, sampled_acceleration, parameters, seconds_per_slice, training_seconds.

    Returns:
        one row per dataset, scan, method, condition and subject, sorted by them, with the averages and ``seeds``: how
        many the subject has results of. BundleError where a column is missing, or a subject has two results of a seed.
    """
    groups = _checked(results).groupby([*CELL, "subject"], sort=True, dropna=False)
    averages = groups[AVERAGED].mean(skipna=False)
    return averages.assign(seeds=groups.size()).reset_index()


@np.errstate(invalid="ignore")  # infinite values have a standard deviation of NaN
def summary(results: pd.DataFrame) -> pd.DataFrame:
    """Mean and spread over subjects of :func:`average_seeds`.

    Returns:
        one row per dataset, scan, method, condition and metric: ``n`` subjects; ``seeds`` and ``seeds_min``, how many
        seeds the most and the least complete subject has; ``mean``; ``std``, the sample standard deviation over
        subjects (NaN for one subject); ``seed_std``, that over seeds of the mean over the complete subjects (NaN for
        one seed); ``ci_low`` and ``ci_high``, the interval of the mean.
    """
    subjects = average_seeds(results)
    between_seeds = _between_seeds(results, subjects)
    rows = []
    for names, group in subjects.groupby(CELL, sort=True):
        for metric in METRICS:
            values = group[metric].to_numpy(float)
            seeds = group.seeds.min(), group.seeds.max()
            spread = np.mean(values), _std(values), between_seeds.loc[names, metric]
            rows.append((*names, metric, len(values), *seeds, *spread, *interval(values)))
    return pd.DataFrame(rows, columns=SUMMARY)


def compare(results: pd.DataFrame, reference: str) -> pd.DataFrame:
    """Every other method of :func:`average_seeds` against the reference method, as trained, paired by subject.

    Returns:
        one row per dataset, scan, method, condition and metric: ``against`` (the reference); ``n`` subjects that both
        have; ``difference``, mean of method - reference; ``ci_low`` and ``ci_high``, its interval; ``p``; ``p_holm``;
        ``significant`` (p_holm <= 0.05); ``comparisons``, the family's size; ``smallest_p``, the smallest p that n
        pairs can give; ``smallest_p_holm``, the same after correction: above 0.05 nothing can be significant.
    """
    subjects = average_seeds(results)
    subjects = subjects[subjects.condition == AS_TRAINED]
    others, baseline = subjects[subjects.method != reference], subjects[subjects.method == reference]
    return _paired(others, baseline, ["dataset", "scan"], reference)


def compare_conditions(results: pd.DataFrame) -> pd.DataFrame:
    """Every method under every other condition against the same method as trained, the condition ``as_trained``.

    Returns:
        as :func:`compare`; a family holds all methods and conditions of a dataset, scan and metric.
    """
    subjects = average_seeds(results)
    trained = subjects.condition == AS_TRAINED
    return _paired(subjects[~trained], subjects[trained], ["dataset", "scan", "method"], AS_TRAINED)


def holm(p_values: Sequence[float] | np.ndarray) -> np.ndarray:
    """The ``(m,)`` p values of a family, corrected by Holm's step-down method, at most 1, in the order they came.

    NaN, a test that could not be made, counts as a member with p = 1 and stays NaN.
    """
    p_values = np.asarray(p_values, dtype=float)
    known = np.where(np.isnan(p_values), 1.0, p_values)
    order = np.argsort(known, kind="stable")
    stepped = np.maximum.accumulate(known[order] * np.arange(len(known), 0, -1))
    corrected = np.empty_like(known)
    corrected[order] = np.minimum(stepped, 1.0)
    return np.where(np.isnan(p_values), np.nan, corrected)


def _checked(results: pd.DataFrame) -> pd.DataFrame:
    """Sorted, since even the last digit of a sum depends on the order; subjects as text."""
    keys = [*CELL, "subject", "seed"]
    missing = [column for column in [*keys, *AVERAGED] if column not in results.columns]
    if missing:
        raise BundleError(f"A study's results need the column {missing[0]!r}, but have {', '.join(results.columns)}.")
    results = results.astype({"subject": str}).sort_values(keys)
    for _, row in results[results.duplicated(keys)].iterrows():
        raise BundleError(
            f"Subject {row.subject} has two results of seed {row.seed} for {', '.join(str(row[key]) for key in CELL)}:"
            " keep the rows of one protocol only."
        )
    return results


@np.errstate(invalid="ignore")  # two infinite PSNRs: their difference is NaN, and shall be seen
def _paired(values: pd.DataFrame, baseline: pd.DataFrame, same: list[str], against: str) -> pd.DataFrame:
    """Differences of the subjects that both have, those of a test to the baseline's on the ``same`` of its names."""
    pairs = values.merge(baseline, on=[*same, "subject"], suffixes=("", "_baseline"))
    rows = []
    for names, group in pairs.groupby(CELL, sort=True):
        for metric in METRICS:
            found = group[metric].to_numpy(float) - group[f"{metric}_baseline"].to_numpy(float)
            rows.append((*names, metric, against, len(found), np.mean(found), *interval(found), _wilcoxon(found)))
    table = pd.DataFrame(rows, columns=COMPARED)
    families = table.groupby(FAMILY)["p"]
    table["p_holm"] = families.transform(lambda p: holm(p.to_numpy())).astype(float)
    table["significant"] = table["p_holm"] <= ALPHA
    table["comparisons"] = families.transform("size").astype(int)
    table["smallest_p"] = np.minimum(2.0 ** (1 - table["n"].astype(float)), 1.0)
    table["smallest_p_holm"] = np.minimum(table["smallest_p"] * table["comparisons"], 1.0)
    return table


def _wilcoxon(differences: np.ndarray) -> float:
    if not np.isfinite(differences).all():
        return np.nan
    if not differences.any():
        return 1.0  # scipy has no answer where nothing is left to rank
    return float(stats.wilcoxon(differences).pvalue)


def _between_seeds(results: pd.DataFrame, subjects: pd.DataFrame) -> pd.DataFrame:
    """Standard deviation over seeds of the mean over subjects; of complete subjects, lest it measure who is missing."""
    complete = subjects[subjects.seeds == subjects.groupby(CELL)["seeds"].transform("max")]
    rows = _checked(results).merge(complete[[*CELL, "subject"]], on=[*CELL, "subject"])
    means = rows.groupby([*CELL, "seed"])[list(METRICS)].mean(skipna=False)
    return means.groupby(CELL).agg(lambda column: _std(column.to_numpy(float)))


def _std(values: np.ndarray) -> float:
    """Sample standard deviation; NaN for one value."""
    return float(np.std(values, ddof=1)) if len(values) > 1 else np.nan
