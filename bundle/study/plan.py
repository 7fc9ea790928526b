"""What a study compares, and the list of runs that this asks for.

A *run* is one method trained once: on a dataset's fold, for a scan, from a seed; and tested under its conditions.
:mod:`bundle.study.study_file` reads a study from its file.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

import yaml

from ..data.datalist import DATALIST_NAME
from ..evaluation.metrics import DEFAULT_PROFILE
from ..evaluation.tables import config_hash

__all__ = ["AS_TRAINED", "BUNDLE_ROOT", "CONFIGS", "Condition", "Dataset", "Method", "Run", "Scan", "Study", "Sweep"]
__all__ += ["Table", "overlay_file"]

BUNDLE_ROOT = Path(__file__).resolve().parents[2]
CONFIGS = BUNDLE_ROOT / "configs"
EXPERIMENTS = CONFIGS / "experiments"
AS_TRAINED = "as_trained"  # the condition of every method: tested as it was trained
Settings = Mapping[str, Any]


@dataclass(frozen=True)
class Dataset:
    """A folder with ``datalist.json``; with ``folds`` its subjects are dealt anew, each tested once.

    ``demo`` is one that is made by code where no folder is given.
    """

    name: str
    label: str
    dataset_dir: str | None = None
    demo: bool = False
    folds: int | None = None
    settings: Settings = field(default_factory=dict)

    @property
    def splits(self) -> tuple[int | None, ...]:
        """The folds to run; ``(None,)`` for the datalist's own split."""
        return (None,) if self.folds is None else tuple(range(self.folds))


@dataclass(frozen=True)
class Scan:
    """A sampling pattern, an acceleration, and whatever else of the simulated scan is set."""

    name: str
    label: str
    settings: Settings = field(default_factory=dict)


@dataclass(frozen=True)
class Method:
    """A network and its training. ``datasets``, ``scans`` and ``seeds`` limit it to some of the study's."""

    name: str
    label: str
    overlays: tuple[str, ...] = ()
    settings: Settings = field(default_factory=dict)
    datasets: tuple[str, ...] | None = None
    scans: tuple[str, ...] | None = None
    seeds: tuple[int, ...] | None = None


@dataclass(frozen=True)
class Condition:
    """How the trained networks of ``methods`` are tested otherwise."""

    name: str
    label: str
    settings: Settings = field(default_factory=dict)
    methods: tuple[str, ...] | None = None


@dataclass(frozen=True)
class Sweep:
    """``points``: value -> name of the method that was trained with it."""

    name: str
    label: str
    method: str
    points: Mapping[float, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Table:
    """Methods, in the order of a table's rows."""

    name: str
    title: str
    methods: tuple[str, ...] = ()


@dataclass(frozen=True)
class Run:
    """One training and its tests. ``key`` is a hash of all that its result depends on, except the code."""

    dataset: str
    fold: int | None
    scan: str
    method: str
    seed: int
    key: str

    @property
    def folder(self) -> Path:
        """Relative to the study's output; a changed protocol has another key, and so another folder."""
        fold = "" if self.fold is None else f"fold{self.fold}-"
        return Path("runs", self.dataset, self.scan, self.method, f"{fold}seed{self.seed}-{self.key}")

    def __str__(self) -> str:
        fold = "" if self.fold is None else f" fold {self.fold}"
        return f"{self.dataset}{fold}, {self.scan}, {self.method}, seed {self.seed}"


@dataclass(frozen=True)
class Study:
    """A whole study; the module tells what each section means."""

    path: Path
    title: str
    description: str
    datasets: Mapping[str, Dataset]
    scans: Mapping[str, Scan]
    methods: Mapping[str, Method]
    reference: str
    settings: Settings = field(default_factory=dict)
    weights: str = "last"
    seeds: tuple[int, ...] = (0,)
    conditions: Mapping[str, Condition] = field(default_factory=dict)
    sweeps: Mapping[str, Sweep] = field(default_factory=dict)
    tables: Mapping[str, Table] = field(default_factory=dict)

    @property
    def profile(self) -> str:
        """How the metrics are defined (:mod:`bundle.evaluation.metrics`)."""
        return self.settings.get("validate::profile", DEFAULT_PROFILE)

    def runs(self) -> list[Run]:
        """All trainings, the methods of one comparison next to each other, so that an early stop leaves whole ones."""
        return [
            Run(dataset.name, fold, scan.name, method.name, seed, self._key(dataset, fold, scan, method, seed))
            for seed in self.seeds
            for dataset in self.datasets.values()
            for fold in dataset.splits
            for scan in self.scans.values()
            for method in self.methods.values()
            if _wants(method.datasets, dataset.name)
            and _wants(method.scans, scan.name)
            and _wants(method.seeds if self.trains(method.name) else self.seeds[:1], seed)
        ]

    def trains(self, method: str) -> bool:
        """Whether a method has weights to train; the overlay of one that has none says ``weights: null``."""
        overlays = [_content(overlay_file(name)) for name in self.methods[method].overlays]
        return all(overlay.get("weights", "") is not None for overlay in overlays)

    def conditions_of(self, run: Run) -> dict[str, Settings]:
        """How a run's network is tested: condition -> settings; as it was trained first."""
        others = self.conditions.values()
        return {AS_TRAINED: {}} | {c.name: c.settings for c in others if _wants(c.methods, run.method)}

    def config_files(self, run: Run) -> list[str]:
        """The overlays that a run puts on train.yaml (or on train.yaml and evaluate.yaml)."""
        folds = [] if run.fold is None else [str(CONFIGS / "cross_validation.yaml")]
        return folds + [str(overlay_file(name)) for name in self.methods[run.method].overlays]

    def overrides(self, run: Run) -> dict[str, Any]:
        """Config id -> value of a run: study, dataset, scan, method, from the general to the particular."""
        dataset = self.datasets[run.dataset]
        values = {**self.settings, **dataset.settings, **self.scans[run.scan].settings}
        values |= {**self.methods[run.method].settings, "seed": run.seed}
        values["validate::dataset::seed"] = self.seeds[0]  # one scan of a subject for every seed of training
        if dataset.dataset_dir is not None:
            values["dataset_dir"] = dataset.dataset_dir
        if run.fold is not None:
            values |= {"folds": dataset.folds, "fold": run.fold}
        return values

    def _key(self, dataset: Dataset, fold: int | None, scan: Scan, method: Method, seed: int) -> str:
        run = Run(dataset.name, fold, scan.name, method.name, seed, key="")
        files = [CONFIGS / "train.yaml", CONFIGS / "evaluate.yaml", *map(Path, self.config_files(run))]
        values = {name: value for name, value in self.overrides(run).items() if name != "dataset_dir"}
        return config_hash(
            {
                "configs": [_content(path) for path in files],
                "settings": values,
                "weights": self.weights,
                "datalist": _datalist_text(dataset),
            }
        )[:8]


def overlay_file(name: str) -> Path:
    """The file of an overlay that a method names."""
    return EXPERIMENTS / f"{name}.yaml"


@cache  # a study of a hundred runs asks for the same few files at each of them
def _content(path: Path) -> Mapping[str, Any]:
    return yaml.safe_load(path.read_text(encoding="utf-8"))


def _wants(limits: Sequence | None, name: object) -> bool:
    return limits is None or name in limits


def _datalist_text(dataset: Dataset) -> str:
    """What the split is; a dataset that is not there yet is refused when it is read."""
    path = Path(dataset.dataset_dir or "", DATALIST_NAME)
    return path.read_text(encoding="utf-8") if dataset.dataset_dir and path.is_file() else ""
