"""The statistics of a dataset as one table, a row a test: what the study's tables show and their CSV files hold."""

from __future__ import annotations

import pandas as pd

from .names import AS_TRAINED
from .plan import Study
from .statistics import average_seeds, compare, compare_conditions, summary

__all__ = ["HEADS", "TEST", "costs", "plain_numbers", "tests_of"]

TEST = ["scan", "method", "condition"]
HEADS = {"ssim": "SSIM ↑", "psnr": "PSNR [dB] ↑", "nmse": "NMSE ↓"}  # in the order of a table's columns
MEASURED = {name: name for name in ("mean", "std", "seed_std", "ci_low", "ci_high")}  # column of summary -> here
PAIRED = {"difference": "difference", "ci_low": "difference_ci_low", "ci_high": "difference_ci_high"}
PAIRED |= {name: name for name in ("p", "p_holm", "significant")}  # column of compare -> here


def tests_of(study: Study, results: pd.DataFrame, dataset: str) -> pd.DataFrame:
    """All methods but those that only a sweep asks for, which would make the families larger, on one dataset.

    Returns:
        indexed by scan, method and condition: ``dataset``, ``label`` of the method, ``n`` subjects, ``seeds``,
        ``seeds_min``, ``sampled_acceleration``; ``against`` what it is compared with, ``pairs`` of subjects and the
        family's ``comparisons``, NaN where with nothing; and of each metric the columns of :data:`MEASURED` and
        :data:`PAIRED`, as ``psnr_mean``.
    """
    known = {"dataset": [dataset], "scan": [*study.scans], "condition": [AS_TRAINED, *study.conditions]}
    results = results[results[[*known, "method"]].isin(known | {"method": study.main_methods}).all(axis=1)]
    measured = summary(results)
    compared = pd.concat([compare(results, study.reference), compare_conditions(results)]).assign(
        pairs=lambda t: t["n"]
    )
    tests = measured.drop_duplicates(TEST).set_index(TEST)[["dataset", "n", "seeds", "seeds_min"]]
    tests["label"] = [study.methods[method].label for method in tests.index.get_level_values("method")]
    tests["sampled_acceleration"] = average_seeds(results).groupby(TEST)["sampled_acceleration"].mean()
    tests = tests.join(compared.drop_duplicates(TEST).set_index(TEST)[["against", "pairs", "comparisons"]])
    for metric in HEADS:
        for rows, names in ((measured, MEASURED), (compared, PAIRED)):
            columns = rows[rows["metric"] == metric].set_index(TEST)[[*names]]
            tests = tests.join(columns.rename(columns={key: f"{metric}_{name}" for key, name in names.items()}))
    return tests


def plain_numbers(tests: pd.DataFrame) -> pd.DataFrame:
    """The columns of a table's CSV."""
    first = ["dataset", *TEST, "label", "n", "seeds", "sampled_acceleration", "against"]
    names = [name for name in (*MEASURED.values(), *PAIRED.values()) if name != "significant"]
    return tests.reset_index()[[*first, *(f"{metric}_{name}" for metric in HEADS for name in names)]]


def costs(study: Study, results: pd.DataFrame) -> pd.DataFrame:
    """A row per dataset and method as trained: how many ``runs``, each counted once, mean and std of what they cost."""
    known = {"dataset": [*study.datasets], "method": study.main_methods, "condition": [AS_TRAINED]}
    tested = results[results[[*known]].isin(known).all(axis=1)]
    columns = ["parameters", "training_seconds", "seconds_per_slice"]
    groups = tested.groupby(["dataset", "method", "folder"])[columns].mean(skipna=False).groupby(["dataset", "method"])
    table = pd.DataFrame({"runs": groups.size(), "parameters": groups["parameters"].mean(skipna=False)})
    for name in columns[1:]:
        table[f"{name}_mean"], table[f"{name}_std"] = groups[name].mean(skipna=False), groups[name].std(skipna=False)
    return table.reset_index().assign(label=lambda rows: [study.methods[name].label for name in rows["method"]])
