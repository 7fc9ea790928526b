"""How a study was made, as text for its report: split, masks, budget, software; asked for and measured."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import yaml

from ..data.datalist import read_datalist
from ..data.splits import Datalist, cross_validation
from ..errors import BundleError
from ..evaluation.metrics import PROFILES
from .plan import AS_TRAINED, CONFIGS, Condition, Dataset, Run, Scan, Study

__all__ = ["UNKNOWN", "describe", "duration", "fold_of", "main_methods", "settings_text", "value_text"]
__all__ += ["versions", "where"]

UNKNOWN = "–"  # or there is none
WEIGHTS = {"last": "those of the last epoch", "best": "those with the best SSIM on the validation list"}
Row = dict[str, str]  # heading of a column -> text
Values = Mapping[str, Any]  # config id -> value


def describe(study: Study, results: pd.DataFrame, runs: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """The protocol, as plain text.

    Args:
        study, results, runs: as for :func:`bundle.study.report.write_report`.

    Returns:
        ``datasets``, a mapping each, with the subjects of every list or fold; ``scans``, ``methods``, ``swept``
        (methods that a sweep added) and ``conditions``, each a list of rows, heading -> text; ``settings``, of all
        runs, id -> text; ``metric_definition``; ``weights``; ``reference``, its label; ``devices``; ``versions``,
        package -> the versions that were used.
    """
    configs = [(run, _config(study, run)) for run in study.runs()]
    tested = results[results["condition"] == AS_TRAINED]
    methods = {name: _method_row(study, name, configs, tested, runs) for name in study.methods}
    main = main_methods(study)
    return {
        "datasets": [_dataset(dataset, results) for dataset in study.datasets.values()],
        "scans": [_scan_row(scan, configs, tested) for scan in study.scans.values()],
        "methods": [row for name, row in methods.items() if name in main],
        "swept": [row for name, row in methods.items() if name not in main],
        "conditions": [_condition_row(study, condition) for condition in study.conditions.values()],
        "settings": {name: value_text(value) for name, value in study.settings.items()},
        "metric_definition": PROFILES[study.profile],
        "weights": WEIGHTS[study.weights],
        "reference": study.methods[study.reference].label,
        "devices": sorted({run["device"] for run in runs if run.get("device")}),
        "versions": versions(runs),
    }


def main_methods(study: Study) -> list[str]:
    """Names of the methods that are in a table, or that no sweep added."""
    tabulated = {name for table in study.tables.values() for name in table.methods}
    swept = {name for sweep in study.sweeps.values() for name in sweep.points.values() if name != sweep.method}
    return [name for name in study.methods if name in tabulated or name not in swept]


def versions(runs: Sequence[Mapping[str, Any]]) -> dict[str, list[str]]:
    """Package -> its versions in all runs, each once."""
    found: dict[str, set[str]] = {}
    for run in runs:
        for package, version in (run.get("versions") or {}).items():
            found.setdefault(package, set()).add(str(version))
    return {package: sorted(several) for package, several in found.items()}


def where(study: Study, entry: Mapping[str, Any]) -> str:
    """Labels of a run's or result's dataset, scan and method."""
    parts = (study.datasets[entry["dataset"]], study.scans[entry["scan"]], study.methods[entry["method"]])
    return ", ".join(part.label for part in parts)


def fold_of(run: Mapping[str, Any]) -> int | None:
    """A run's fold; None for the datalist's own split, which files write as nothing or NaN."""
    fold = run.get("fold")
    return None if fold in (None, "") or pd.isna(fold) else int(fold)


def settings_text(settings: Values) -> str:
    """``id = value, ...``."""
    return ", ".join(f"{name} = {value_text(value)}" for name, value in settings.items())


def value_text(value: Any) -> str:
    """As YAML writes it, on one line."""
    if isinstance(value, str):
        return value
    text = yaml.safe_dump(value, default_flow_style=True, allow_unicode=True, sort_keys=False, width=float("inf"))
    return text.removesuffix("...\n").strip()


def duration(seconds: float | None) -> str:
    """In the unit that suits its size; :data:`UNKNOWN` for none and for what is not finite."""
    if not seconds or not np.isfinite(seconds):
        return UNKNOWN
    for size, unit in ((3600, "h"), (60, "min"), (1, "s")):
        if seconds >= 2 * size:
            return f"{seconds / size:.1f} {unit}"
    return f"{1000 * seconds:.3g} ms"


def _config(study: Study, run: Run) -> dict[str, Any]:
    """The top level of a run's configuration: train.yaml, the overlays on it, the study's settings."""
    values: dict[str, Any] = {}
    for path in (CONFIGS / "train.yaml", *study.config_files(run)):
        values |= _read_config(str(path))
    return values | study.overrides(run)


@cache
def _read_config(path: str) -> Values:
    return yaml.safe_load(Path(path).read_text(encoding="utf-8"))


def _dataset(dataset: Dataset, results: pd.DataFrame) -> dict[str, Any]:
    own = results[results["dataset"] == dataset.name].astype({"subject": str})
    once = own.drop_duplicates("subject")
    kind = "the datalist's own, by subject"
    if dataset.folds is not None:
        kind = f"{dataset.folds}-fold cross-validation by subject; each subject is tested once, in its fold"
    described = {"label": dataset.label, "split": kind, "settings": settings_text(dataset.settings)}
    return described | {"tested": len(once), "slices": int(once["slices"].sum()), "parts": _parts(dataset, own)}


def _parts(dataset: Dataset, own: pd.DataFrame) -> list[dict[str, Any]]:
    """A list, or a fold: its title and subjects. Who was tested is told by the results, the rest by the datalist."""
    datalist = _datalist(dataset)
    if dataset.folds is None:
        names = {title: _subjects(datalist[title]) for title in datalist if title != "test"}
        names["test"] = sorted(own["subject"].unique())
        return [{"title": title, "subjects": subjects} for title, subjects in names.items()]
    parts = []
    for fold in dataset.splits:
        title = f"fold {fold}, tested"
        if datalist:
            trained = _subjects(cross_validation(datalist, dataset.folds, fold)["training"])
            title += f" after training on the other {len(trained)}"
        parts.append({"title": title, "subjects": sorted(own.loc[own["fold"] == fold, "subject"].unique())})
    return parts


def _datalist(dataset: Dataset) -> Datalist:
    """Empty where it cannot be read: a report can be written where the images are not."""
    try:
        return read_datalist(dataset.dataset_dir) if dataset.dataset_dir else {}
    except BundleError:
        return {}


def _subjects(items: Sequence[Mapping[str, str]]) -> list[str]:
    return sorted({str(item["subject"]) for item in items})


def _scan_row(scan: Scan, configs: Sequence[tuple[Run, Values]], tested: pd.DataFrame) -> Row:
    values = [config for run, config in configs if run.scan == scan.name]
    measured = tested.loc[tested["scan"] == scan.name, "sampled_acceleration"].astype(float)
    spread = f"{measured.mean():.2f}× ({measured.min():.2f} to {measured.max():.2f})" if len(measured) else UNKNOWN
    return {
        "scan": scan.label,
        "pattern": _once(values, "pattern"),
        "acceleration asked for": _once(values, "acceleration", "×"),
        "really sampled, mean (range)": spread,
        "centre fraction": _once(values, "center_fraction", none="by acceleration"),
        "noise_level": _once(values, "noise_level"),
    }


def _method_row(
    study: Study, name: str, configs: Sequence[tuple[Run, Values]], tested: pd.DataFrame, runs: Sequence[Mapping]
) -> Row:
    method = study.methods[name]
    own = [run for run in runs if run["method"] == name]
    done = [run for run in own if run["status"] == "done"]
    trained, values = done, [config for run, config in configs if run.method == name]
    if not study.trains(name):
        trained, values = [], []  # train.yaml's budget says nothing of it
    seconds = [run["training_seconds"] for run in trained]
    recipe = (", ".join(method.overlays), settings_text(method.settings))
    return {
        "method": method.label,
        "overlays; settings": "; ".join(filter(None, recipe)) or "train.yaml",
        "parameters": _once(done, "parameters"),
        "epochs": _once(trained or values, "epochs"),
        "steps": _once(trained, "steps"),
        "batch": _once(values, "batch_size"),
        "learning rate": _once(values, "learning_rate"),
        "training, mean of runs": duration(np.mean(seconds)) if seconds else UNKNOWN,
        "time a slice": duration(tested.loc[tested["method"] == name, "seconds_per_slice"].astype(float).mean()),
        "runs": f"{len(done)} of {len(own)}",
    }


def _condition_row(study: Study, condition: Condition) -> Row:
    methods = main_methods(study) if condition.methods is None else condition.methods
    labels = ", ".join(study.methods[name].label for name in methods)
    return {"condition": condition.label, "settings": settings_text(condition.settings), "methods": labels}


def _once(entries: Sequence[Values], key: str, unit: str = "", none: str = UNKNOWN) -> str:
    """The values of one key, each once, with a narrow space in thousands."""
    texts = []
    for value in (entry.get(key) for entry in entries):
        number = f"{value:,}".replace(",", "\u202f") if type(value) is int else value_text(value)
        texts.append(none if value is None else number + unit)
    return ", ".join(dict.fromkeys(texts)) or UNKNOWN
