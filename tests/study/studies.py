"""A study and results of it, made up, that the tests of statistics, tables, figures and report share."""

from __future__ import annotations

import re
from html.parser import HTMLParser
from typing import Any

import numpy as np
import pandas as pd

from bundle.study.names import AS_TRAINED
from bundle.study.plan import Run, Study

SCANS = {"u6": "1D uniform 6×", "r6": "1D random 6×", "s9": "2D spiral 9×"}
LABELS = dict(zero_filled="Zero-filled", unet="UNet-T2", xiang="Xiang et al.", dudornet="DuDoRNet", manet="MANet")
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
    names = {name: getattr(run, name) for name in ("dataset", "scan", "method", "seed", "fold")}
    costs = {"parameters": 7_283_670, "training_seconds": 5400.0} if trained else {}
    measured = {
        "subject": f"s{index}",
        "slices": 40 + index,
        "sampled_acceleration": 8.97 if run.scan == "s9" else 5.98,
    }
    return result(psnr, condition=condition, folder=run.folder.as_posix(), **names, **measured, **costs)


def result(psnr: float = 30.0, **changes: Any) -> dict[str, Any]:
    """A row of results.csv."""
    names = {"dataset": "ixi", "scan": "r6", "method": "manet", "condition": AS_TRAINED, "seed": 0, "fold": np.nan}
    measured = {"subject": "a", "slices": 40, "sampled_acceleration": 5.98, "nmse": 10 ** (-psnr / 20), "psnr": psnr}
    costs = {"parameters": 0, "seconds_per_slice": 0.02, "training_seconds": 0.0, "folder": "runs"}
    return names | measured | {"ssim": psnr / 50} | costs | changes


class Page(HTMLParser):
    """What a page holds: elements with their attributes, cells, text; it fails where a tag is not closed in order."""

    def __init__(self, html: str) -> None:
        super().__init__(convert_charrefs=True)
        self.open, self.tags, self.cells, self.text = [], [], [], ""
        self.feed(html)
        self.close()
        assert self.open == []
        self.words = re.sub(r"[ \n]+", " ", self.text)  # a narrow space stays what it is

    def handle_starttag(self, tag: str, attrs: list) -> None:
        assert len(attrs) == len(dict(attrs)), f"an attribute stands twice in <{tag}>"
        self.tags.append((tag, dict(attrs)))
        self.open += [tag] if tag not in ("meta", "img", "br") else []
        self.cells += [""] if tag in ("td", "th") else []

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag
        self.text += " " * (tag in ("td", "th", "dt", "dd", "li", "p"))

    def handle_data(self, data: str) -> None:
        self.text += data if self.open and self.open[-1] not in ("style", "script") else ""
        if {"td", "th"} & set(self.open):
            self.cells[-1] += data

    def attributes(self, tag: str, name: str) -> list[str]:
        return [attrs[name] for found, attrs in self.tags if found == tag and name in attrs]
