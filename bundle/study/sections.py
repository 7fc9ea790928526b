"""The entries of a study file's sections; what their keys mean stands in :mod:`bundle.study.study_file`."""

from __future__ import annotations

import math
from functools import cached_property
from pathlib import Path
from typing import Annotated, Any

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, PlainValidator

from ..paths import data_root, own_root
from ..settings.kinds import Seed
from ..settings.shipped import CONFIGS
from .images import images_of
from .overlays import EXPERIMENTS, files_of

__all__ = ["BUNDLE_ROOT", "Condition", "Dataset", "Method", "Scan", "Seeds", "Settings", "Strict", "Sweep", "Table"]

BUNDLE_ROOT = own_root()
Settings = dict[str, Any]  # config id -> value


def _each_once(seeds: list[int]) -> list[int]:
    if not seeds:
        raise ValueError("should name at least one seed")
    if len(set(seeds)) < len(seeds):
        raise ValueError("should name each seed once")
    return seeds


def _number(value: Any) -> int | float:
    """Whole numbers stay whole."""
    if type(value) not in (int, float) or not math.isfinite(value):
        raise ValueError("should be a number")
    return value


Seeds = Annotated[list[Seed], AfterValidator(_each_once)]
Number = Annotated[int | float, PlainValidator(_number)]


class Strict(BaseModel):
    """A model that refuses unknown keys and values of another type."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)


class Entry(Strict):
    """An entry of a section, with the label that tables and figures show."""

    label: str


class Dataset(Entry):
    """Where volumes come from, how they are read, and into how many folds their subjects are dealt."""

    dataset_dir: str | None = None
    demo: bool = False
    overlays: list[str] = []
    folds: int | None = Field(None, ge=2)
    settings: Settings = {}

    @property
    def files(self) -> list[Path]:
        """Of its overlays, in configs/."""
        return files_of(self.overlays, CONFIGS)

    @property
    def folder(self) -> str:
        """Where it lies; the demo data, made by code, in :func:`bundle.paths.data_root`."""
        return self.dataset_dir or str(data_root() / "demo_data")

    @cached_property
    def images(self) -> str:
        """Their checksum when it is first asked for, so that a study means the same ones to its end."""
        return images_of(self.dataset_dir)


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
    seeds: Seeds | None = None


class Method(Limited):
    """What is trained and tested: overlays of configs/experiments/, and settings."""

    overlays: list[str] = []
    settings: Settings = {}

    @property
    def files(self) -> list[Path]:
        """Of its overlays, in configs/experiments/."""
        return files_of(self.overlays, EXPERIMENTS)


class Sweep(Limited):
    """A method trained with several values of one setting."""

    method: str
    setting: str
    values: list[Number]


class Condition(Entry):
    """How a trained network is tested otherwise than it was trained."""

    settings: Settings = {}
    methods: list[str] | None = None


class Table(Strict):
    """A table, and the methods in it."""

    title: str
    methods: list[str] = []
