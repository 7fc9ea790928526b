"""The config files that a study puts on the bundle's own; its file names them without ``.yaml``."""

from __future__ import annotations

from collections.abc import Iterable
from functools import cache
from pathlib import Path
from typing import Any

import yaml

from ..errors import BundleError
from ..settings.shipped import CONFIGS

__all__ = ["EXPERIMENTS", "check_files", "files_of", "read_config"]

EXPERIMENTS = CONFIGS / "experiments"


def files_of(names: Iterable[str], folder: Path) -> list[Path]:
    """Of overlays that are named without ``.yaml``."""
    return [folder / f"{name}.yaml" for name in names]


def check_files(place: str, files: Iterable[Path]) -> None:
    """BundleError for an overlay that does not exist; ``place`` in the study asks for it."""
    if missing := [path for path in files if not path.is_file()]:
        raise BundleError(f"{place} asks for the overlay {missing[0]}, which does not exist")


@cache  # a study of a hundred runs asks for the same few files at each of them
def read_config(path: Path) -> dict[str, Any]:
    """A config file as it stands, nothing resolved."""
    return yaml.safe_load(path.read_text(encoding="utf-8"))
