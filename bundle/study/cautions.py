"""What a reader has to know before believing a study's figures: few subjects, one seed, gaps, values not finite."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from ..evaluation.metrics import METRICS
from .plan import AS_TRAINED, Dataset, Study
from .protocol import fold_of, versions, where
from .statistics import ALPHA

__all__ = ["Caution", "cautions", "unfinished"]

FEW_SUBJECTS = 20
SUPERSCRIPTS = str.maketrans("0123456789", "⁰¹²³⁴⁵⁶⁷⁸⁹")


@dataclass(frozen=True)
class Caution:
    """A heading, a sentence or two, and the cases that they speak of."""

    title: str
    text: str
    cases: Sequence[str] = ()


def cautions(study: Study, results: pd.DataFrame, runs: Sequence[Mapping[str, Any]]) -> list[Caution]:
    """All that apply, but for runs that did not finish (:func:`unfinished`).

    Args:
        study, results, runs: as for :func:`bundle.study.report.write_report`.
    """
    tested = results[results["condition"] == AS_TRAINED]
    found = [
        _not_finite(study, results),
        *(_few_subjects(dataset, tested) for dataset in study.datasets.values()),
        _uneven(study, tested),
        _one_seed(study),
        _mixed_software(runs),
        _resumed(study, runs),
    ]
    return [caution for caution in found if caution is not None]


def unfinished(study: Study, runs: Sequence[Mapping[str, Any]]) -> list[dict[str, str]]:
    """``run``, ``status``, ``error``, and ``line``, its telling one: a traceback's last, else the first."""
    found = []
    for run in runs:
        if run["status"] != "done":
            fold = "" if fold_of(run) is None else f", fold {fold_of(run)}"
            error = str(run.get("error") or "").strip()
            lines = error.splitlines() or [""]
            line = lines[-1] if lines[0].startswith("Traceback") else lines[0]
            name = f"{where(study, run)}, seed {run['seed']}{fold}"
            found.append({"run": name, "status": run["status"], "error": error, "line": line})
    return found


def _not_finite(study: Study, results: pd.DataFrame) -> Caution | None:
    broken = results[~np.isfinite(results[list(METRICS)].astype(float)).all(axis=1)]
    if broken.empty:
        return None
    cases = [
        f"{row['subject']}: {where(study, row)}, seed {row['seed']}, {_condition(study, row)}"
        for row in broken.to_dict("records")
    ]
    return Caution(
        "Values that are not finite", "A metric of these tests is NaN or infinite; no mean leaves it out.", cases
    )


def _few_subjects(dataset: Dataset, tested: pd.DataFrame) -> Caution | None:
    n = tested.loc[tested["dataset"] == dataset.name, "subject"].nunique()
    if n == 0:
        return Caution(f"{dataset.label}: no results", "No subject was tested.")
    if n >= FEW_SUBJECTS:
        return None
    if n == 1:
        return Caution(f"{dataset.label}: one subject", "There is no spread over subjects, and nothing can be tested.")
    smallest = 2 / 2**n
    power = str(n).translate(SUPERSCRIPTS)
    text = f"The smallest p that the paired Wilcoxon test can reach is 2/2{power} = {smallest:.2g}"
    if smallest > ALPHA:
        text += f": no difference can be significant at {ALPHA:g}, however large it is. Look at the differences."
    else:
        text += " before Holm's correction. Means and intervals may still move with a few subjects more."
    return Caution(f"{dataset.label}: {n} subjects only", text)


def _uneven(study: Study, tested: pd.DataFrame) -> Caution | None:
    """Cells of the tables with fewer subjects than their dataset has."""
    everyone = tested.groupby("dataset")["subject"].nunique()
    cells = tested.groupby(["dataset", "scan", "method"], sort=False)["subject"].nunique()
    cases = []
    for (dataset, scan, method), n in cells.items():
        if n < everyone[dataset]:
            place = where(study, {"dataset": dataset, "scan": scan, "method": method})
            cases.append(f"{place}: {n} of {everyone[dataset]} subjects")
    if not cases:
        return None
    text = "These means are over fewer subjects than the dataset has, and compare with the others only with care."
    return Caution("Not every figure rests on the same subjects", text, cases)


def _one_seed(study: Study) -> Caution | None:
    if len(study.seeds) > 1:
        return None
    text = "Every method was trained once. How far two trainings of one method differ is not known, and the tests do"
    return Caution("One seed", f"{text} not see it: a small difference between methods may be chance of training.")


def _mixed_software(runs: Sequence[Mapping[str, Any]]) -> Caution | None:
    mixed = [f"{package} {', '.join(found)}" for package, found in versions(runs).items() if len(found) > 1]
    text = "The runs of this study were not all made with the same versions."
    return Caution("Different software", text, mixed) if mixed else None


def _resumed(study: Study, runs: Sequence[Mapping[str, Any]]) -> Caution | None:
    cases = [f"{where(study, run)}, seed {run['seed']}" for run in runs if run.get("resumed")]
    text = "These trainings were interrupted; their seconds are of the last part only."
    return Caution("Training times that are too short", text, cases) if cases else None


def _condition(study: Study, row: Mapping[str, Any]) -> str:
    known = study.conditions.get(row["condition"])
    return known.label if known else str(row["condition"]).replace("_", " ")
