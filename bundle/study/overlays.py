"""The config files that a study puts on the bundle's own; its file names them without ``.yaml``."""

from __future__ import annotations

from collections.abc import Iterable
from functools import cache
from pathlib import Path
from typing import Any

import yaml

from ..paths import own_path

__all__ = ["CONFIGS", "EXPERIMENTS", "files_of", "read_config"]

CONFIGS = own_path("configs")
EXPERIMENTS = CONFIGS / "experiments"


def files_of(names: Iterable[str], folder: Path) -> list[Path]:
    """Of overlays that are named without ``.yaml``."""
    return [folder / f"{name}.yaml" for name in names]


@cache  # a study of a hundred runs asks for the same few files at each of them
def read_config(path: Path) -> dict[str, Any]:
    """A config file as it stands, nothing resolved."""
    return yaml.safe_load(path.read_text(encoding="utf-8"))
