"""What the runs of a study left on disk: their records, and all that was measured as one table, ``results.csv``."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pandas as pd

from ..evaluation.metrics import METRICS
from ..outputs import atomic_path
from .plan import Run, Study

__all__ = ["COLUMNS", "collect", "condition_folder", "is_done", "is_tested", "read_record", "write_json", "write_text"]

RECORD, TRAINING, CONDITION = "run.json", "training.json", "condition.json"
MEASURED = ["subject", "slices", "sampled_acceleration", *METRICS]
COLUMNS = ["dataset", "scan", "method", "condition", "seed", "fold", *MEASURED]
COLUMNS += ["parameters", "seconds_per_slice", "training_seconds", "folder"]


def condition_folder(run: Run, condition: str, output_dir: Path) -> Path:
    """Where a test of a run's network leaves its metrics."""
    return output_dir / run.folder / "conditions" / condition


def read_record(run: Run, output_dir: Path) -> dict[str, Any]:
    """A run's ``run.json``; where there is none yet, what it is, with the status ``missing``."""
    path = output_dir / run.folder / RECORD
    return json.loads(path.read_text()) if path.is_file() else run.record("missing")


def is_tested(study: Study, run: Run, condition: str, output_dir: Path) -> bool:
    """Whether a run's network was tested under a condition with the settings that the study gives it now."""
    path = condition_folder(run, condition, output_dir) / CONDITION
    return path.is_file() and json.loads(path.read_text()) == study.conditions_of(run)[condition]


def is_done(study: Study, run: Run, output_dir: Path) -> bool:
    """Whether a run ended well and was tested under all its conditions."""
    ended_well = read_record(run, output_dir)["status"] == "done"
    return ended_well and all(is_tested(study, run, name, output_dir) for name in study.conditions_of(run))


def collect(study: Study, output_dir: Path) -> pd.DataFrame:
    """One row a tested subject, of all tests that there are; the columns are :data:`COLUMNS`."""
    tests = [
        _test(run, condition, output_dir)
        for run in study.runs()
        for condition in study.conditions_of(run)
        if is_tested(study, run, condition, output_dir)
    ]
    return pd.concat(tests, ignore_index=True)[COLUMNS] if tests else pd.DataFrame(columns=COLUMNS)


def write_text(path: Path, text: str) -> None:
    """Write a text file; it replaces an existing one in one step.

    Raises:
        BundleError: the file cannot be written.
    """
    with atomic_path(path) as temporary:
        temporary.write_text(text, encoding="utf-8")


def write_json(path: Path, content: Mapping[str, Any]) -> None:
    """Write a mapping as :func:`write_text` does."""
    write_text(path, json.dumps(content, indent=2) + "\n")


def _test(run: Run, condition: str, output_dir: Path) -> pd.DataFrame:
    folder, training = condition_folder(run, condition, output_dir), output_dir / run.folder / TRAINING
    summary = json.loads((folder / "metrics_summary.json").read_text())
    # a method that is not trained has no such file
    seconds = json.loads(training.read_text())["training_seconds"] if training.is_file() else 0.0
    rows = pd.read_csv(folder / "metrics.csv", dtype={"subject": str})[MEASURED]
    names = {name: getattr(run, name) for name in ("dataset", "scan", "method", "seed", "fold")}
    costs = {name: summary[name] for name in ("parameters", "seconds_per_slice")}
    return rows.assign(condition=condition, folder=run.folder.as_posix(), training_seconds=seconds, **names, **costs)
