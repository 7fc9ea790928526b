"""A study and results of it, made up, that the tests of tables, figures and report share."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from bundle.study.plan import AS_TRAINED, Run, Study

SCANS = {"u6": "1D uniform 6×", "r6": "1D random 6×", "s9": "2D spiral 9×"}
LABELS = {
    "zero_filled": "Zero-filled",
    "unet": "UNet-T2",
    "xiang": "Xiang et al.",
    "dudornet": "DuDoRNet",
    "manet": "MANet",
}
PSNR = dict(zip(LABELS, (26.0, 30.0, 32.0, 33.0, 34.0)))  # dB


def study_of(**changes: Any) -> Study:
    """Five methods on three scans of one dataset, from two seeds; sections are given as a file has them."""
    content: dict[str, Any] = {
        "title": "A study",
        "seeds": [0, 1],
        "reference": "manet",
        "datasets": {"ixi": {"label": "IXI"}},
        "scans": {name: {"label": label} for name, label in SCANS.items()},
        "methods": {name: {"label": label} for name, label in LABELS.items()},
        "conditions": {"noiseless": {"label": "no noise", "methods": ["manet"]}},
        "tables": {"table1": {"title": "Undersampling patterns", "methods": list(LABELS)}},
    }
    content["methods"]["zero_filled"]["overlays"] = ["zero_filled"]
    return Study.model_validate(content | changes)


def results_of(study: Study, subjects: int = 6) -> pd.DataFrame:
    """A row for each test of each run; subject i is tested in fold i modulo folds."""
    rows = [
        _row(study, run, condition, index)
        for run in study.runs()
        for index in range(subjects)
        if run.fold is None or index % (study.datasets[run.dataset].folds or 1) == run.fold
        for condition in study.conditions_of(run)
    ]
    return pd.DataFrame(rows)


def _row(study: Study, run: Run, condition: str, index: int) -> dict[str, Any]:
    level, trained = PSNR.get(run.method, 34.0), study.trains(run.method)
    psnr = level + list(study.scans).index(run.scan) + 0.2 * run.seed + np.sin(index) + 0.1 * np.sin(7 * index + level)
    psnr += 0.0 if condition == AS_TRAINED else 1 + 0.01 * index
    return {
        "dataset": run.dataset,
        "scan": run.scan,
        "method": run.method,
        "condition": condition,
        "seed": run.seed,
        "fold": run.fold,
        "subject": f"s{index}",
        "slices": 40 + index,
        "sampled_acceleration": 8.97 if run.scan == "s9" else 5.98,
        "nmse": 10 ** (-psnr / 20),
        "psnr": psnr,
        "ssim": psnr / 50,
        "parameters": 7_283_670 if trained else 0,
        "seconds_per_slice": 0.02,
        "training_seconds": 5400.0 if trained else 0.0,
        "folder": run.folder.as_posix(),
    }
