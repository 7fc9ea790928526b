"""A study, and the list of runs that it asks for.

A *run* is one method trained once: on a dataset's fold, for a scan, from a seed; and tested under its conditions.
"""

from __future__ import annotations

from collections import ChainMap
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from itertools import product
from pathlib import Path
from typing import Any, Literal

import pandas as pd
from pydantic import ValidationInfo, field_validator, model_validator

from ..errors import BundleError
from ..evaluation.metrics import DEFAULT_PROFILE
from ..evaluation.tables import config_hash
from ..settings.shipped import CONFIGS
from .names import AS_TRAINED, check_known, check_labels, check_section
from .overlays import check_files, files_of, read_config
from .sections import Condition, Dataset, Method, Scan, Seeds, Settings, Strict, Sweep, Table

__all__ = ["PROFILE", "Run", "Study"]

PROFILE = "validate::profile"
LIMITS = ("datasets", "scans", "seeds")  # of an entry, to some of the study's
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
        for section in ("datasets", "methods"):
            for name, entry in getattr(self, section).items():
                check_files(f"{section}.{name}", entry.files)
        written = list(self.methods)
        self._check_names("methods", "sweeps")
        for name, sweep in self.sweeps.items():
            check_known(f"sweeps.{name}.method", [sweep.method], written)
            self._add_points(name, written)
        self._check_names("conditions", "tables")
        check_known("reference", [self.reference], self.methods)
        for section in ("datasets", "scans", "methods", "conditions"):
            check_labels(section, [entry.label for entry in getattr(self, section).values()])
        if self.weights == "best" and (folded := [name for name, dataset in self.datasets.items() if dataset.folds]):
            raise BundleError(
                f"datasets.{folded[0]} has folds, which leave no subject to choose by; give weights: last"
            )
        if not self.grid():
            raise BundleError("there is nothing to run; give it methods, datasets, scans and seeds")
        return self

    def _check_names(self, *sections: str) -> None:
        for section in sections:
            for name, entry in getattr(self, section).items():
                for key in (*LIMITS, "methods"):
                    check_known(f"{section}.{name}.{key}", getattr(entry, key, None) or (), getattr(self, key))

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
        """Value of a swept setting -> the method trained with it, the method itself where all its runs have it."""
        sweep, method, own = self.sweeps[name], self.sweeps[name].method, self._values_of(self.sweeps[name])
        return {value: method if own == [value] else f"{method}_{sweep.setting}_{value:g}" for value in sweep.values}

    def _values_of(self, sweep: Sweep) -> list[Any]:
        """What the swept setting is in the method's own runs, each value once; None where the sweep has one more."""
        method, values = self.methods[sweep.method], list[Any]()
        swept = [getattr(sweep, key) or getattr(method, key) or getattr(self, key) for key in LIMITS]
        for dataset, scan, seed in product(*swept):
            given = [read_config(CONFIGS / "train.yaml"), *map(read_config, self.overlays_of(dataset, sweep.method))]
            given.append(self.overrides(Run(dataset, None, scan, sweep.method, seed)))
            run = all(_wants(getattr(method, key), name) for key, name in zip(LIMITS, (dataset, scan, seed)))
            value = ChainMap(*reversed(given)).get(sweep.setting) if run else None
            values += [value] * (value not in values)
        return values

    def _add_points(self, name: str, written: Sequence[str]) -> None:
        """Add the methods that a sweep trains, as none that is ``written`` in the file is called."""
        sweep = self.sweeps[name]
        method = self.methods[sweep.method]
        limits = sweep.model_dump(include=set(LIMITS), exclude_unset=True)
        check_labels(f"values of sweeps.{name}", [f"{value:g}" for value in sweep.values])
        for value, trained in self.points(name).items():
            if trained in written and trained != sweep.method:
                raise BundleError(f"sweeps.{name} trains {trained}, as a method is called; name that otherwise")
            label, settings = f"{method.label}, {sweep.label} = {value:g}", {sweep.setting: value}
            changes = limits | {"label": label, "settings": method.settings | settings}
            self.methods.setdefault(trained, method.model_copy(update=changes))

    def place(self, entry: Mapping[Any, Any]) -> str:
        """A run or a row of results in words: the labels of its dataset, scan and method, condition, seed and fold."""
        parts: list[Any] = [self.datasets[entry["dataset"]], self.scans[entry["scan"]], self.methods[entry["method"]]]
        parts += [self.conditions[name] for name in [entry.get("condition")] if name in self.conditions]
        numbers = [f"{key} {entry[key]:.0f}" for key in ("seed", "fold") if pd.notna(entry.get(key))]
        return ", ".join([part.label for part in parts] + numbers)

    def grid(self) -> list[Run]:
        """:meth:`runs` without their keys, for which the images are looked at."""
        return [
            Run(dataset, fold, scan, method, seed)
            for seed in self.seeds
            for dataset, its in self.datasets.items()
            for fold in ([None] if its.folds is None else range(its.folds))
            for scan in self.scans
            for method, limits in self.methods.items()
            if _wants(limits.datasets, dataset) and _wants(limits.scans, scan) and seed in self.seeds_of(method)
        ]

    def runs(self) -> list[Run]:
        """All trainings, the methods of one comparison next to each other, so that an early stop leaves whole ones."""
        return [replace(run, key=self._key(run)) for run in self.grid()]

    def seeds_of(self, method: str) -> list[int]:
        """From which seeds a method is run; one without weights from the first alone."""
        limits = self.methods[method].seeds if self.trains(method) else self.seeds[:1]
        return [seed for seed in self.seeds if _wants(limits, seed)]

    def trains(self, method: str) -> bool:
        """Whether a method has weights to train; the overlay of one that has none says ``weights: null``."""
        return all(read_config(path).get("weights", "") is not None for path in self.methods[method].files)

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
        return self.datasets[dataset].files + files_of(more, CONFIGS) + self.methods[method].files

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
        return config_hash(content | {"images": self.datasets[run.dataset].images})[:8]


def _wants(limits: Sequence | None, name: object) -> bool:
    return limits is None or name in limits
