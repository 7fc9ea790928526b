"""What a study is going to cost, before anything starts: trainings, tests, hours and disk, from timed steps.

Counted are the runs that are asked for. Their times are those of one pair's slices (:mod:`bundle.study.pace`), of which
all pairs are taken to have as many; so it is an estimate.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pandas as pd
import torch
from torch import Tensor

from ..console import progress_bar
from ..counted import counted
from ..data.cache_entry import foreground_of
from ..errors import errors_in_a_sentence
from ..settings.shipped import CONFIGS
from ..table_formats import Cell, RenderedTable
from .configs import parser_of
from .overlays import read_config
from .pace import Pace
from .plan import Run, Study
from .sections import BUNDLE_ROOT

__all__ = ["Estimate", "estimate", "rounded"]

Timer = Callable[[Study, Run, Tensor, Tensor], Pace]
OF_THE_LOSS = {"alpha", "beta", "learning_rate", "epochs"}  # settings on which a step's time does not depend
WEIGHTS = 4 * (1 + 3)  # bytes of a parameter: in model.pt once, in last.pt with Adam's two moments
SAVED = 4 * 4  # bytes of a voxel in the four volumes that a run saves of one subject, unpacked
SHOWN = 8  # slices of the pair that is timed, from its middle


@dataclass(frozen=True)
class _Data:
    """The lists of a dataset (of one fold, where it has folds), and one pair of it."""

    pairs: Mapping[str, int]  # training, validation, tested
    t1: Tensor  # (s, h, w)
    t2: Tensor
    trained: int  # slices of the pair that are trained on
    seconds: float  # to prepare it

    @property
    def bytes(self) -> int:
        """Of the pair in the cache."""
        return 2 * 4 * self.t2.numel()


@dataclass(frozen=True)
class Estimate:
    """What the runs cost: a table by method, seconds in all and of the longest run, and bytes by what they are for."""

    table: RenderedTable
    seconds: float
    longest: float
    preparation: float
    disk: Mapping[str, int]

    def text(self, slots: int, where: str) -> str:
        """The table, and below it hours and disk where so many runs are done at once."""
        hours = max(self.seconds / slots, self.longest) / 3600
        parts = ", ".join(f"{what} {rounded(size / 1e9)} GB" for what, size in self.disk.items())
        return (
            f"{self.table.markdown()}\n"
            f"About {rounded(hours)} h {where}, after {rounded(self.preparation / 3600)} h in all to prepare pairs.\n"
            f"Disk: {rounded(sum(self.disk.values()) / 1e9)} GB at most ({parts}).\n"
            "This is an estimate from a few timed steps, which other work on the machine lengthens.\n"
            "Nothing was started, nothing written."
        )


def estimate(study: Study, runs: Sequence[Run], timer: Timer, start: float = 0.0) -> Estimate:
    """Time a step and a test of each method, and count.

    Args:
        study: whose data must be there.
        runs: those that are to be done.
        timer: does :func:`bundle.study.pace.pace_of` here or on a worker.
        start: s that the process of a run takes before it begins.

    Raises:
        BundleError: data cannot be read, a setting is wrong, or a worker failed.
    """
    data: dict[tuple[str, int | None], _Data] = {}
    for run in runs:
        if (run.dataset, run.fold) not in data:
            data[run.dataset, run.fold] = _data_of(study, run, data.get((run.dataset, 0)))
    groups: dict[Any, list[Run]] = {}
    for run in runs:
        groups.setdefault((run.dataset, _same_cost(study, run.method)), []).append(run)
    paces: dict[Any, Pace] = {}
    for key, group in progress_bar(groups.items(), desc="Timing", unit="method"):
        chosen = data[group[0].dataset, group[0].fold]
        middle = slice(max(0, len(chosen.t2) // 2 - SHOWN // 2), len(chosen.t2) // 2 + SHOWN // 2)
        paces[key] = timer(study, group[0], chosen.t1[middle].clone(), chosen.t2[middle].clone())
    each: dict[Run, dict[str, Any]] = {}  # seeds cost the same
    for run in runs:
        key = replace(run, seed=0, key="")
        each[key] = each.get(key) or _cost(study, run, data[run.dataset, run.fold], paces, start)
    costs = pd.DataFrame([each[replace(run, seed=0, key="")] for run in runs])
    pairs, cache = _to_prepare(study, runs, data)
    disk = {"cache": cache, "weights": costs["weights"].sum(), "saved volumes": costs["saved"].sum()}
    seconds = costs["training"] + costs["testing"]
    return Estimate(_table(study, costs), seconds.sum(), seconds.max(), pairs, disk)


def _data_of(study: Study, run: Run, known: _Data | None) -> _Data:
    """The lists of a run's dataset and fold; the pair is that of another fold where it is known."""
    trains = any(map(study.trains, study.methods))
    given = study.overrides(run) | {"bundle_root": str(BUNDLE_ROOT), "device": "cpu"}
    run_ids = {"training": "train", "validation": "validate"} if trains else {}
    with errors_in_a_sentence():
        parser = parser_of(study, run, "training" if trains else "evaluating", given)
        lists = {name: parser.get_parsed_content(f"{part}::volumes::items") for name, part in run_ids.items()}
        tested = parser_of(study, run, "evaluating", given).get_parsed_content("validate::volumes::items")
        lists["tested"] = tested
        pairs = {name: len(items) for name, items in lists.items()}
        if known is not None:
            return _Data(pairs, known.t1, known.t2, known.trained, known.seconds)
        began = time.perf_counter()
        prepared = parser.get_parsed_content("preprocessing")(dict(next(iter(lists.values()))[0]))
        seconds, least = time.perf_counter() - began, parser.get("train::dataset::min_foreground", 0.02)
    t1, t2 = (torch.tensor(np.asarray(prepared[key], np.float32)) for key in ("t1", "t2"))
    trained = int((np.array(foreground_of(t2)) >= least).sum())
    return _Data(pairs, t1, t2, trained, seconds)


def _same_cost(study: Study, name: str) -> str:
    """What a method's time and size depend on, as text; methods with one text are timed once."""
    method = study.methods[name]
    return repr((method.overlays, {key: value for key, value in method.settings.items() if key not in OF_THE_LOSS}))


def _cost(study: Study, run: Run, data: _Data, paces: Mapping[Any, Pace], start: float) -> dict[str, Any]:
    """Of a run: seconds of its training and of its tests, bytes of its weights and volumes."""
    pace, conditions = paces[run.dataset, _same_cost(study, run.method)], len(study.conditions_of(run))
    slices, training = len(data.t2), 0.0
    if study.trains(run.method):
        config = dict(read_config(CONFIGS / "train.yaml"))
        for values in (*map(read_config, study.config_files(run)), study.overrides(run)):
            config |= values
        epochs, batch, interval = (config[name] for name in ("epochs", "batch_size", "val_interval"))
        every_slice = math.ceil(data.trained * data.pairs["training"] / batch)
        steps = epochs * (config.get("train::trainer::epoch_length") or every_slice)
        validated = (epochs // interval) * data.pairs["validation"] * slices
        training = steps * pace.step + validated * pace.tested
    testing = start + conditions * data.pairs["tested"] * slices * pace.tested
    weights = WEIGHTS * pace.parameters * (training > 0)
    names = {
        "dataset": run.dataset,
        "method": run.method,
        "step": pace.step,
        "tested": pace.tested,
        "tests": conditions,
    }
    return names | {"training": training, "testing": testing, "weights": weights, "saved": SAVED * data.t2.numel()}


def _to_prepare(study: Study, runs: Iterable[Run], data: Mapping[Any, _Data]) -> tuple[float, int]:
    """Seconds and bytes of the cache: pairs of training and validation once, tested ones once for each scan."""
    trained, tested = {}, {}
    for run in runs:
        its = data[run.dataset, run.fold]
        tested[run.dataset, run.fold, run.scan] = (its.pairs["tested"], its)
        if study.trains(run.method):
            trained[run.dataset] = (its.pairs["training"] + its.pairs["validation"], its)
    counts = [*trained.values(), *tested.values()]
    return sum(number * its.seconds for number, its in counts), sum(number * its.bytes for number, its in counts)


def _table(study: Study, costs: pd.DataFrame) -> RenderedTable:
    """Rows are datasets' methods and, last, their sum."""
    rows, labels = [], []
    several = costs["dataset"].nunique() > 1
    for (dataset, method), own in costs.groupby(["dataset", "method"], sort=False):
        rows.append(_cells(own, rounded(own["step"].iloc[0]), rounded(1000 * own["tested"].iloc[0])))
        labels.append((study.datasets[dataset].label * several, study.methods[method].label))
    rows.append(_cells(costs, "", ""))
    heads = ["Trainings", "Step [s]", "Training [h]", "Tests", "Test [ms/slice]", "Testing [h]"]
    columns = pd.MultiIndex.from_tuples([("", head) for head in heads])
    frame = pd.DataFrame(rows, pd.MultiIndex.from_tuples([*labels, ("", "all")]), columns)
    title = f"{study.title}: {counted(len(costs), 'run')} to do"
    return RenderedTable("estimate", title, [], frame.map(Cell), costs)


def _cells(costs: pd.DataFrame, step: str, tested: str) -> list[str]:
    trained = costs[costs["training"] > 0]
    step = step if len(trained) else ""
    hours = [rounded(costs[name].sum() / 3600) for name in ("training", "testing")]
    return [str(len(trained)), step, hours[0], str(costs["tests"].sum()), tested, hours[1]]


def rounded(number: float) -> str:
    """To three digits, whole from 100 on."""
    return f"{number:,.0f}" if number >= 100 else f"{number:.3g}"
