"""A study, and the list of runs that it asks for.

A *run* is one method trained once: on a dataset's fold, for a scan, from a seed; and tested under its conditions.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from functools import cache
from pathlib import Path
from typing import Any, Literal

import pandas as pd
import yaml
from pydantic import ValidationInfo, field_validator, model_validator

from ..data.datalist import DATALIST_NAME
from ..errors import BundleError
from ..evaluation.metrics import DEFAULT_PROFILE
from ..evaluation.tables import config_hash
from .sections import CONFIGS, Condition, Dataset, Method, Scan, Seeds, Settings, Strict, Sweep, Table, check_section

__all__ = ["AS_TRAINED", "PROFILE", "Run", "Study", "read_config"]

AS_TRAINED = "as_trained"  # the condition of every method: tested as it was trained
PROFILE = "validate::profile"
EXPERIMENTS = CONFIGS / "experiments"
SECTIONS = ("datasets", "scans", "methods", "sweeps", "conditions", "tables")


@dataclass(frozen=True)
class Run:
    """One training and its tests. ``key`` is a hash of all that its result depends on, except the code."""

    dataset: str
    fold: int | None
    scan: str
    method: str
    seed: int
    key: str = ""

    @property
    def folder(self) -> Path:
        """Relative to the study's output; a changed protocol has another key, and so another folder."""
        fold = "" if self.fold is None else f"fold{self.fold}-"
        return Path("runs", self.dataset, self.scan, self.method, f"{fold}seed{self.seed}-{self.key}")

    def record(self, status: str, error: str | None = None) -> dict[str, Any]:
        """The least that ``run.json`` says."""
        return asdict(self) | {"folder": self.folder.as_posix(), "status": status, "error": error}


class Study(Strict):
    """A whole study; :mod:`bundle.study.study_file` tells what each section means."""

    path: Path = Path("study.yaml")
    title: str
    description: str = ""
    reference: str
    settings: Settings = {}
    weights: Literal["last", "best"] = "last"
    seeds: Seeds = [0]
    datasets: dict[str, Dataset]
    scans: dict[str, Scan]
    methods: dict[str, Method]
    sweeps: dict[str, Sweep] = {}
    conditions: dict[str, Condition] = {}
    tables: dict[str, Table] = {}

    @field_validator(*SECTIONS, mode="before")
    @classmethod
    def _label(cls, section: Any, info: ValidationInfo) -> Any:
        """Where an entry has no label, its name will do."""
        section = section or {}
        if not isinstance(section, Mapping):
            return section
        check_section(str(info.field_name), section)
        key = "title" if info.field_name == "tables" else "label"
        return {name: {key: name} | entry if isinstance(entry, dict) else entry for name, entry in section.items()}

    @model_validator(mode="after")
    def _complete(self) -> Study:
        """Add the methods that sweeps train and, where there is none, a table; check every name."""
        if not self.tables:
            self.tables["methods"] = Table(title=self.title, methods=list(self.methods))
        for name, sweep in self.sweeps.items():
            _check(f"sweeps.{name}.method", [sweep.method], self.methods)
            method = self.methods[sweep.method]
            limits = sweep.model_dump(include={"datasets", "scans", "seeds"}, exclude_unset=True)
            for value, trained in self.points(name).items():
                label, settings = f"{method.label}, {sweep.label} = {value:g}", {sweep.setting: value}
                changes = limits | {"label": label, "settings": method.settings | settings}
                self.methods.setdefault(trained, method.model_copy(update=changes))
        _check("reference", [self.reference], self.methods)
        for section in SECTIONS:
            for name, entry in getattr(self, section).items():
                for key in ("datasets", "scans", "seeds", "methods"):
                    _check(f"{section}.{name}.{key}", getattr(entry, key, None) or (), getattr(self, key))
        labels = [method.label for method in self.methods.values()]
        for method in self.methods.values():
            if labels.count(method.label) > 1:
                raise BundleError(f"several methods are labelled {method.label!r}; give each its own label")
        named = {f"methods.{name}": _files(one.overlays, EXPERIMENTS) for name, one in self.methods.items()}
        named |= {f"datasets.{name}": _files(one.overlays, CONFIGS) for name, one in self.datasets.items()}
        for place, files in named.items():
            if missing := [path for path in files if not path.is_file()]:
                raise BundleError(f"{place} asks for the overlay {missing[0]}, which does not exist")
        if not self.runs():
            raise BundleError("there is nothing to run; give it methods, datasets, scans and seeds")
        return self

    @property
    def profile(self) -> str:
        """How the metrics are defined (:mod:`bundle.evaluation.metrics`)."""
        return self.settings.get(PROFILE, DEFAULT_PROFILE)

    @property
    def main_methods(self) -> list[str]:
        """Names of the methods that are in a table, or that no sweep added."""
        tabulated = {name for table in self.tables.values() for name in table.methods}
        swept = {name for key, sweep in self.sweeps.items() for name in {*self.points(key).values()} - {sweep.method}}
        return [name for name in self.methods if name in tabulated or name not in swept]

    def points(self, name: str) -> dict[int | float, str]:
        """Value of a swept setting -> the method trained with it; at the method's own value it is the method."""
        sweep, method = self.sweeps[name], self.sweeps[name].method
        own = (read_config(CONFIGS / "train.yaml") | self.methods[method].settings).get(sweep.setting)
        return {value: method if value == own else f"{method}_{sweep.setting}_{value:g}" for value in sweep.values}

    def place(self, entry: Mapping[Any, Any]) -> str:
        """A run or a row of results in words: the labels of its dataset, scan and method, condition, seed and fold."""
        parts: list[Any] = [self.datasets[entry["dataset"]], self.scans[entry["scan"]], self.methods[entry["method"]]]
        parts += [self.conditions[name] for name in [entry.get("condition")] if name in self.conditions]
        numbers = [f"{key} {entry[key]:.0f}" for key in ("seed", "fold") if pd.notna(entry.get(key))]
        return ", ".join([part.label for part in parts] + numbers)

    def runs(self) -> list[Run]:
        """All trainings, the methods of one comparison next to each other, so that an early stop leaves whole ones."""
        runs = [
            Run(dataset, fold, scan, method, seed)
            for seed in self.seeds
            for dataset, its in self.datasets.items()
            for fold in ([None] if its.folds is None else range(its.folds))
            for scan in self.scans
            for method, limits in self.methods.items()
            if _wants(limits.datasets, dataset) and _wants(limits.scans, scan) and seed in self.seeds_of(method)
        ]
        return [replace(run, key=self._key(run)) for run in runs]

    def seeds_of(self, method: str) -> list[int]:
        """From which seeds a method is run; one without weights from the first alone."""
        limits = self.methods[method].seeds if self.trains(method) else self.seeds[:1]
        return [seed for seed in self.seeds if _wants(limits, seed)]

    def trains(self, method: str) -> bool:
        """Whether a method has weights to train; the overlay of one that has none says ``weights: null``."""
        overlays = map(read_config, _files(self.methods[method].overlays, EXPERIMENTS))
        return all(overlay.get("weights", "") is not None for overlay in overlays)

    def conditions_of(self, run: Run) -> dict[str, Settings]:
        """How a run's network is tested: condition -> settings; as it was trained first."""
        others = {name: c.settings for name, c in self.conditions.items() if _wants(c.methods, run.method)}
        return {AS_TRAINED: {}} | others

    def config_files(self, run: Run) -> list[Path]:
        """The overlays that a run puts on train.yaml (or on train.yaml and evaluate.yaml)."""
        folds = [] if run.fold is None else ["cross_validation"]
        return self.overlays_of(run.dataset, run.method, folds)

    def overlays_of(self, dataset: str, method: str, more: Sequence[str] = ()) -> list[Path]:
        """Files of a dataset's overlays and ``more`` of configs/, then of a method's, of configs/experiments/."""
        shared = _files([*self.datasets[dataset].overlays, *more], CONFIGS)
        return shared + _files(self.methods[method].overlays, EXPERIMENTS)

    def overrides(self, run: Run) -> Settings:
        """Config id -> value of a run: study, dataset, scan, method, from the general to the particular."""
        dataset = self.datasets[run.dataset]
        values = {**self.settings, **dataset.settings, **self.scans[run.scan].settings}
        values |= {**self.methods[run.method].settings, "seed": run.seed, "dataset_dir": dataset.folder}
        values["validate::dataset::seed"] = self.seeds[0]  # one scan of a subject for every seed of training
        return values if run.fold is None else values | {"folds": dataset.folds, "fold": run.fold}

    def _key(self, run: Run) -> str:
        files = [CONFIGS / "train.yaml", CONFIGS / "evaluate.yaml", *self.config_files(run)]
        settings = {name: value for name, value in self.overrides(run).items() if name != "dataset_dir"}
        content = {"configs": [read_config(path) for path in files], "settings": settings, "weights": self.weights}
        # a dataset that is not there yet is refused when it is read
        datalist = Path(self.datasets[run.dataset].dataset_dir or "nowhere", DATALIST_NAME)
        text = datalist.read_text(encoding="utf-8") if datalist.is_file() else ""
        return config_hash(content | {"datalist": text})[:8]


@cache  # a study of a hundred runs asks for the same few files at each of them
def read_config(path: Path) -> dict[str, Any]:
    """A config file as it stands, nothing resolved."""
    return yaml.safe_load(path.read_text(encoding="utf-8"))


def _files(names: Iterable[str], folder: Path) -> list[Path]:
    """Of overlays that are named without ``.yaml``."""
    return [folder / f"{name}.yaml" for name in names]


def _wants(limits: Sequence | None, name: object) -> bool:
    return limits is None or name in limits


def _check(place: str, names: Sequence, known: Sequence | Mapping) -> None:
    if missing := [name for name in names if name not in known]:
        raise BundleError(f"{place} names {missing[0]!r}, which is none of {', '.join(map(str, known))}")
