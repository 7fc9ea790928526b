"""The settings that a study gives to its runs, checked against the configs when its file is read."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from copy import deepcopy
from functools import cache
from itertools import product
from pathlib import Path
from typing import Any

from monai.bundle import ComponentLocator, ConfigParser
from monai.bundle.utils import merge_kv

from ..errors import BundleError, errors_in_a_sentence
from ..evaluation.metrics import PROFILES, known
from ..settings import check_values
from ..settings.merged import check_config
from ..settings.shipped import CONFIGS, ids_of
from .overlays import read_config
from .plan import PROFILE, Study
from .sections import Settings

__all__ = ["check_settings", "of_training"]

_DRAW = "validate::dataset::seed"  # of the scan; a condition may test on another
# what a study gives to its runs itself, by what in its file or on its command line
_SET_BY_THE_STUDY = {
    "bundle_root": "by where the bundle lies",
    "cache_dir": "by --output",
    "checkpoint": "by what each run trained",
    "dataset_dir": "by its datasets or --data",
    "device": "by --devices",
    "output_dir": "by --output",
    "overwrite": "since it resumes its runs",
    "resume": "since it resumes its runs",
    "save_at_most": "for its figures",
    "save_reconstructions": "for its figures",
    "seed": "by its seeds",
    _DRAW: "by its first seed",
}

_LOCATOR = ComponentLocator()  # one for all: it makes its list of MONAI's components once, in a second


def check_settings(study: Study) -> None:
    """Check all ids and values, of each method with its overlays, as its runs are going to.

    Raises:
        BundleError: the first that is wrong, with its place in the file.
    """
    seen = set()
    for name, dataset in product(study.methods, study.datasets):
        overlays = tuple(study.overlays_of(dataset, name))
        for place, settings in _given(study, name, dataset):
            case = (*overlays, *settings, repr([value for value in settings.values() if isinstance(value, dict)]))
            try:
                _check_plain(settings, place.startswith("conditions."))
                if case not in seen:  # plain values are checked, and what else could be wrong is so there too
                    _check_ids(overlays, settings)
            except BundleError as error:
                raise BundleError(f"{place}: {error}") from error
            seen.add(case)
    for run in {(run.dataset, run.scan, run.method): run for run in study.grid()}.values():
        try:
            _check_scan(study.config_files(run), study.overrides(run))
        except BundleError as error:
            raise BundleError(f"scans.{run.scan} of methods.{run.method}: {error}") from error


def of_training(settings: Settings, overlays: Sequence[Path] = ()) -> Settings:
    """Without those that the evaluation alone knows, such as ``split``; an overlay's, such as ``cascades``, stay."""
    own = {name for path in overlays for name in read_config(path)}
    dropped = ids_of("evaluating") - ids_of("training") - own
    return {name: value for name, value in settings.items() if name not in dropped}


def _given(study: Study, name: str, dataset: str) -> Iterator[tuple[str, Settings]]:
    """All that is given to the runs of a method on a dataset, with its place in the file."""
    yield "settings", study.settings
    yield f"datasets.{dataset}.settings", study.datasets[dataset].settings
    for key, scan in study.scans.items():
        yield f"scans.{key}", scan.settings
    yield f"methods.{name}.settings", study.methods[name].settings
    for key, sweep in study.sweeps.items():
        if sweep.method == name:
            yield from ((f"sweeps.{key}", {sweep.setting: value}) for value in sweep.values)
    for key, condition in study.conditions.items():
        if condition.methods is None or name in condition.methods:
            yield f"conditions.{key}.settings", condition.settings


def _check_plain(settings: Settings, of_condition: bool) -> None:
    """Refuse what the study sets itself, so that it would be ignored or undo what the study is, and wrong values."""
    allowed = {_DRAW} if of_condition else set()
    if ignored := [name for name in settings if name in _SET_BY_THE_STUDY.keys() - allowed]:
        raise BundleError(f"{ignored[0]} is no setting here: the study sets it, {_SET_BY_THE_STUDY[ignored[0]]}.")
    if PROFILE in settings:
        known(settings[PROFILE], PROFILES, "metric profile")
    check_values(settings)


def _check_ids(overlays: tuple[Path, ...], settings: Settings) -> None:
    parser = ConfigParser(deepcopy(_merged(overlays)))
    for name, value in settings.items():
        try:
            parser[name] = value
        except (KeyError, ValueError, IndexError) as error:  # of MONAI
            raise BundleError(f"There is nothing that {name!r} could stand in.") from error
    check_config(parser.get(), "evaluating", _LOCATOR)


def _check_scan(overlays: Sequence[Path], settings: Settings) -> None:
    """Refuse what cannot be drawn, as too high an acceleration for the centre that is always sampled."""
    parser = ConfigParser(deepcopy(_merged(tuple(overlays))))
    parser.update(settings)
    with errors_in_a_sentence():
        parser.get_parsed_content("acquisition")


@cache
def _merged(overlays: tuple[Path, ...]) -> dict[str, Any]:
    parser = ConfigParser({})
    for path in (CONFIGS / "train.yaml", CONFIGS / "evaluate.yaml", *overlays):
        for name, value in deepcopy(read_config(path)).items():
            merge_kv(parser, name, value)
    return parser.get()
