"""The ids of the shipped configs, and which run knows which."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Mapping
from functools import cache
from pathlib import Path
from typing import Any

import yaml

from ..paths import own_path
from .declaration import Settings

__all__ = ["CONFIGS", "RUNS", "closest", "files_with", "ids_of", "structures_of"]

CONFIGS = own_path("configs")
# an id, mostly the run list -> the config files with it; the first one that a merged config holds tells what is run
RUNS = {
    "evaluating": ("train.yaml", "evaluate.yaml"),
    "raw_scan": ("inference_kspace.yaml",),
    "inference": ("inference.yaml",),
    "training": ("train.yaml",),
}


@cache
def ids_of(run: str | None) -> frozenset[str]:
    """The ids that the config files of a run have at the top, and in sections that are no components."""
    return frozenset(name for file in RUNS.get(run or "", ()) for name in _ids(CONFIGS / file))


@cache
def structures_of(run: str | None) -> dict[str, Mapping[str, Any] | list[Any]]:
    """Id -> the component, section or list of components that the config files of a run have there."""
    found = {}
    for file in RUNS.get(run or "", ()):
        for name, value in _named(CONFIGS / file):
            if isinstance(value, (Mapping, list)) and name not in Settings.model_fields:
                found[name] = value
    return found


def files_with(name: str) -> list[str]:
    """The shipped config files that have an id at the top: those of a run, or else overlays."""
    own = sorted({file for files in RUNS.values() for file in files})
    runs = [file for file in own if name in _ids(CONFIGS / file)]
    overlays = [path for folder in (CONFIGS, CONFIGS / "experiments") for path in sorted(folder.glob("*.yaml"))]
    return runs or [path.name for path in overlays if name in _ids(path)]


def closest(name: str, known: Iterable[str]) -> str | None:
    """The most similar one, settings before other ids; None where none is similar."""
    lower = {other.lower(): other for other in sorted(known, key=lambda other: other not in Settings.model_fields)}
    found = difflib.get_close_matches(name.lower(), lower, n=1)
    return lower[found[0]] if found else None


def _ids(path: Path) -> frozenset[str]:
    names = [name.split("::") for name, _ in _named(path)]
    return frozenset("::".join(parts[:count]) for parts in names for count in (1, 2) if count <= len(parts))


@cache
def _named(path: Path) -> tuple[tuple[str, Any], ...]:
    """Id and value of what stands in a file at the top, and in sections that are no components."""
    found: list[tuple[str, Any]] = []
    for key, value in (yaml.safe_load(path.read_text(encoding="utf-8")) or {}).items():
        name = key.lstrip("+")
        found.append((name, value))
        if isinstance(value, Mapping) and "_target_" not in value and "::" not in name:
            found += [(f"{name}::{inner}", part) for inner, part in value.items()]
    return tuple(found)
