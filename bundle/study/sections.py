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
    label: str


class Dataset(Entry):
    dataset_dir: str | None = None
    demo: bool = False
    folds: int | None = Field(None, ge=2)
    settings: Settings = {}

    @property
    def folder(self) -> str:
        """Where it lies; the demo data, made by code, in the bundle."""
        return self.dataset_dir or str(BUNDLE_ROOT / "demo_data")


class Scan(Entry):
    model_config = ConfigDict(extra="allow")

    @property
    def settings(self) -> Settings:
        """All keys but the label."""
        return self.model_extra or {}


class Limited(Entry):
    datasets: list[str] | None = None  # None: all of the study's; so for scans and seeds
    scans: list[str] | None = None
    seeds: list[int] | None = None


class Method(Limited):
    overlays: list[str] = []
    settings: Settings = {}


class Sweep(Limited):
    method: str
    setting: str
    values: list[int | float]


class Condition(Entry):
    settings: Settings = {}
    methods: list[str] | None = None


class Table(Strict):
    title: str
    methods: list[str] = []
