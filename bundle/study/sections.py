"""The entries of a study file's sections; what their keys mean stands in :mod:`bundle.study.study_file`."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, Field

__all__ = ["BUNDLE_ROOT", "CONFIGS", "Condition", "Dataset", "Method", "Scan", "Settings", "Strict", "Sweep", "Table"]

BUNDLE_ROOT = Path(__file__).resolve().parents[2]
CONFIGS = BUNDLE_ROOT / "configs"
Settings = dict[str, Any]  # config id -> value


class Strict(BaseModel):
    """Unknown keys and values of another type are refused."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)


class Dataset(Strict):
    """A folder with ``datalist.json``; with ``folds`` its subjects are dealt anew, each tested once."""

    label: str
    dataset_dir: str | None = None
    demo: bool = False
    folds: int | None = Field(None, ge=2)
    settings: Settings = {}

    @property
    def folder(self) -> str:
        """Where it lies; the demo data, made by code, in the bundle."""
        return self.dataset_dir or str(BUNDLE_ROOT / "demo_data")


class Scan(Strict):
    """A sampling pattern, an acceleration, and whatever else of the simulated scan is set."""

    model_config = ConfigDict(extra="allow")
    label: str

    @property
    def settings(self) -> Settings:
        """All keys but the label."""
        return self.model_extra or {}


class Limited(Strict):
    """What is trained on some of the study's datasets and scans and from some of its seeds; None: all."""

    label: str
    datasets: list[str] | None = None
    scans: list[str] | None = None
    seeds: list[int] | None = None


class Method(Limited):
    """A network and its training."""

    overlays: list[str] = []
    settings: Settings = {}


class Sweep(Limited):
    """A method trained again for each value of a setting."""

    method: str
    setting: str
    values: list[int | float]


class Condition(Strict):
    """How the trained networks of ``methods``, or of all, are tested otherwise."""

    label: str
    settings: Settings = {}
    methods: list[str] | None = None


class Table(Strict):
    """Methods, in the order of a table's rows."""

    title: str
    methods: list[str] = []
