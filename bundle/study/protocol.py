"""How a study was made, as text for its report: split, masks, budget, software; asked for and measured."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
import yaml

from ..data import read_datalist
from ..errors import BundleError
from ..settings.shipped import CONFIGS
from .names import AS_TRAINED
from .overlays import read_config
from .plan import Study

__all__ = ["UNKNOWN", "describe", "settings_text"]

UNKNOWN = "–"  # or there is none
MOST_NAMES = 12  # of subjects; more are counted
Rows = Sequence[Mapping[str, Any]]  # of configurations or of records of runs


def describe(study: Study, results: pd.DataFrame, runs: Rows) -> dict[str, Any]:
    """The protocol, as plain text, from what :func:`bundle.study.report.write_report` is given.

    Returns ``datasets``, ``scans``, ``methods``, ``swept`` (methods that a sweep added) and ``conditions``, each a list
    of rows, heading -> text.
    """
    configs = []  # the top level of each run's configuration: train.yaml, the overlays on it, the study's settings
    for run in study.runs():
        configs.append({"method": run.method, "scan": run.scan} | read_config(CONFIGS / "train.yaml"))
        for values in (*map(read_config, study.config_files(run)), study.overrides(run)):
            configs[-1] |= values
    tested, main = results[results["condition"] == AS_TRAINED], study.main_methods
    methods = {name: _method_row(study, name, configs, tested, runs) for name in study.methods}
    return {
        "datasets": [_dataset_row(study, name, results) for name in study.datasets],
        "scans": [_scan_row(study, name, configs, tested) for name in study.scans],
        "methods": [row for name, row in methods.items() if name in main],
        "swept": [row for name, row in methods.items() if name not in main],
        "conditions": [_condition_row(study, name) for name in study.conditions],
    }


def settings_text(settings: Mapping[str, Any]) -> str:
    """``id = value, ...``."""
    return ", ".join(f"{name} = {_text(value)}" for name, value in settings.items())


def _text(value: Any) -> str:
    """As YAML writes it, on one line; whole numbers with a narrow space in thousands."""
    if type(value) is int:
        return f"{value:,}".replace(",", "\u202f")
    text = yaml.safe_dump(value, default_flow_style=True, allow_unicode=True, sort_keys=False, width=float("inf"))
    return value if isinstance(value, str) else text.removesuffix("...\n").strip()


def _dataset_row(study: Study, name: str, results: pd.DataFrame) -> dict[str, str]:
    dataset, kind = study.datasets[name], "the datalist's own, by subject"
    once = results[results["dataset"] == name].astype({"subject": str}).drop_duplicates("subject")
    try:
        datalist = read_datalist(dataset.folder)
    except BundleError:  # a report can be written where the images are not
        datalist = {}
    parts = {title: {item["subject"] for item in items} for title, items in datalist.items()}
    parts["test"] = set(once["subject"])  # who was tested is told by the results, the rest by the datalist
    if dataset.folds is not None:
        kind = f"{dataset.folds}-fold cross-validation by subject, each tested once, by networks trained on all others"
        parts = {f"fold {fold}, tested": set(own["subject"]) for fold, own in once.groupby("fold")}
    names = {title: f" ({', '.join(sorted(part))})" * (len(part) <= MOST_NAMES) for title, part in parts.items()}
    return {
        "dataset": dataset.label,
        "settings": settings_text(dataset.settings) or UNKNOWN,
        "split": kind,
        "subjects": "; ".join(f"{title} {len(parts[title])}{text}" for title, text in names.items()),
        "slices tested": str(int(once["slices"].sum())),
    }


def _condition_row(study: Study, name: str) -> dict[str, str]:
    condition = study.conditions[name]
    methods = ", ".join(study.methods[name].label for name in condition.methods or study.main_methods)
    return {"condition": condition.label, "settings": settings_text(condition.settings), "methods": methods}


def _scan_row(study: Study, name: str, configs: Rows, tested: pd.DataFrame) -> dict[str, str]:
    values = [config for config in configs if config["scan"] == name]
    measured = tested.loc[tested["scan"] == name, "sampled_acceleration"].astype(float)
    spread = f"{measured.mean():.2f}× ({measured.min():.2f} to {measured.max():.2f})" if len(measured) else UNKNOWN
    return {
        "scan": study.scans[name].label,
        "pattern": _once(values, "pattern"),
        "acceleration asked for": _once(values, "acceleration", "×"),
        "really sampled, mean (range)": spread,
        "centre fraction": _once(values, "center_fraction", none="by acceleration"),
        "noise_level": _once(values, "noise_level"),
        "noise_unit": _once(values, "noise_unit"),
        "phase_level": _once(values, "phase_level"),
    }


def _method_row(study: Study, name: str, configs: Rows, tested: pd.DataFrame, runs: Rows) -> dict[str, str]:
    method = study.methods[name]
    own = [run for run in runs if run["method"] == name]
    done = [run for run in own if run["status"] == "done"]
    # of a method that is not trained, train.yaml's budget says nothing
    trained = [run for run in done if study.trains(name)]
    values = [config for config in configs if config["method"] == name and study.trains(name)]
    seconds = [run["training_seconds"] for run in trained]
    slices = tested.loc[tested["method"] == name, "seconds_per_slice"].astype(float)
    recipe = (", ".join(method.overlays), settings_text(method.settings))
    return {
        "method": method.label,
        "overlays; settings": "; ".join(filter(None, recipe)) or "train.yaml",
        "parameters": _once(done, "parameters"),
        "epochs": _once(trained or values, "epochs"),
        "steps": _once(trained, "steps"),
        "batch": _once(values, "batch_size"),
        "learning rate": _once(values, "learning_rate"),
        "training, mean of runs": f"{np.mean(seconds):.0f} s" if seconds else UNKNOWN,
        "time a slice": f"{1000 * slices.mean():.3g} ms" if len(slices) else UNKNOWN,
        "runs": f"{len(done)} of {len(own)}",
    }


def _once(entries: Rows, key: str, unit: str = "", none: str = UNKNOWN) -> str:
    """The values of one key, each once."""
    values = (entry.get(key) for entry in entries)
    return ", ".join(dict.fromkeys(none if value is None else _text(value) + unit for value in values)) or UNKNOWN
