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
    """A model that refuses unknown keys and values of another type."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)


class Entry(Strict):
    """An entry of a section, with the label that tables and figures show."""

    label: str


class Dataset(Entry):
    """Where volumes come from, and into how many folds their subjects are dealt."""

    dataset_dir: str | None = None
    demo: bool = False
    folds: int | None = Field(None, ge=2)
    settings: Settings = {}

    @property
    def folder(self) -> str:
        """Where it lies; the demo data, made by code, in the bundle."""
        return self.dataset_dir or str(BUNDLE_ROOT / "demo_data")


class Scan(Entry):
    """A simulated scan: its label, and the settings that make it."""

    model_config = ConfigDict(extra="allow")

    @property
    def settings(self) -> Settings:
        """All keys but the label."""
        return self.model_extra or {}


class Limited(Entry):
    """An entry that may be run for some of the study's datasets, scans and seeds alone."""

    datasets: list[str] | None = None  # None: all of the study's; so for scans and seeds
    scans: list[str] | None = None
    seeds: list[int] | None = None


class Method(Limited):
    """What is trained and tested: overlays of configs/experiments/, and settings."""

    overlays: list[str] = []
    settings: Settings = {}


class Sweep(Limited):
    """A method trained with several values of one setting."""

    method: str
    setting: str
    values: list[int | float]


class Condition(Entry):
    """How a trained network is tested otherwise than it was trained."""

    settings: Settings = {}
    methods: list[str] | None = None


class Table(Strict):
    """A table, and the methods in it."""

    title: str
    methods: list[str] = []
