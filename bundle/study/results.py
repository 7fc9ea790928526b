"""What the runs of a study measured, as one table: ``results.csv``, a row a tested subject."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pandas as pd

from ..outputs import atomic_path
from .plan import Run, Study
from .runner import condition_folder, is_tested, read_record

__all__ = ["COLUMNS", "collect", "records", "write_results"]

MEASURED = ["subject", "slices", "sampled_acceleration", "nmse", "psnr", "ssim"]
COLUMNS = ["dataset", "scan", "method", "condition", "seed", "fold", *MEASURED]
COLUMNS += ["parameters", "seconds_per_slice", "training_seconds", "folder"]


def records(study: Study, output_dir: Path) -> list[dict[str, Any]]:
    """Every run's record; of one that has none yet what it is, with the status ``missing``."""
    return [read_record(run, output_dir) or _missing(run) for run in study.runs()]


def collect(study: Study, output_dir: Path) -> pd.DataFrame:
    """One row a tested subject, of all tests that there are; the columns are :data:`COLUMNS`."""
    tests = [
        _test(run, condition, record, output_dir)
        for run in study.runs()
        if (record := read_record(run, output_dir))
        for condition in study.conditions_of(run)
        if is_tested(study, run, condition, output_dir)
    ]
    return pd.concat(tests, ignore_index=True)[COLUMNS] if tests else pd.DataFrame(columns=COLUMNS)


def write_results(results: pd.DataFrame, path: Path) -> None:
    """Write the table; it replaces an existing file in one step."""
    with atomic_path(path) as temporary:
        results.to_csv(temporary, index=False)


def _test(run: Run, condition: str, record: dict[str, Any], output_dir: Path) -> pd.DataFrame:
    folder = condition_folder(run, condition, output_dir)
    summary = json.loads((folder / "metrics_summary.json").read_text())
    rows = pd.read_csv(folder / "metrics.csv", dtype={"subject": str})[MEASURED]
    return rows.assign(
        dataset=run.dataset,
        scan=run.scan,
        method=run.method,
        condition=condition,
        seed=run.seed,
        fold=run.fold,
        parameters=summary["parameters"],
        seconds_per_slice=summary["seconds_per_slice"],
        training_seconds=record["training_seconds"],
        folder=run.folder.as_posix(),
    )


def _missing(run: Run) -> dict[str, Any]:
    named = {"dataset": run.dataset, "fold": run.fold, "scan": run.scan, "method": run.method, "seed": run.seed}
    return named | {"key": run.key, "folder": run.folder.as_posix(), "status": "missing", "error": None}
