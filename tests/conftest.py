"""What the tests share: where the real data lies, and small image pairs with known geometry."""

from __future__ import annotations

import gc
import logging
import os
import random

# before torch loads: arrays this small take less processor time on one thread, and the other core has work (early.py)
os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("OMP_WAIT_POLICY", "passive")  # idle threads must not burn a shared machine

from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import settings
from monai.transforms import Randomizable

from bundle.data.prepared import PreparedVolumes
from bundle.data.slices import Geometry
from tests import early

# the same examples in every run, and no clock: other work may share the machine
settings.register_profile("bundle", derandomize=True, deadline=None, max_examples=50)
settings.load_profile("bundle")

DATA_VARIABLE = "BUNDLE_TEST_DATA"
REFERENCE_VARIABLE = "BUNDLE_TEST_REFERENCE"


def pytest_collection_finish(session: pytest.Session) -> None:
    """Begin what takes long, and processes of its own, beside the other tests.

    What is imported by then stays: Python need not look through it again and again.
    """
    gc.freeze()
    if not session.config.option.collectonly:
        early.begin(session.items)


def pytest_sessionfinish() -> None:
    """Not to wait for work that nobody asks for any more."""
    early.cancel()


@pytest.fixture(autouse=True)
def log_levels_as_before() -> Iterator[None]:
    """A run of a config sets those of its whole process (configs/logging.conf)."""
    loggers = [logging.getLogger(name) for name in (None, "bundle", "monai", "ignite.engine")]
    levels = [logger.level for logger in loggers]
    yield
    for logger, level in zip(loggers, levels):
        logger.setLevel(level)


@pytest.fixture(autouse=True)
def same_draws(monkeypatch: pytest.MonkeyPatch) -> None:
    """What a test does not seed is drawn alike in every run, and whatever ran before it."""
    monkeypatch.setattr(Randomizable, "R", np.random.RandomState(0))  # one state for all that MONAI draws unseeded
    np.random.seed(0)
    random.seed(0)
    torch.manual_seed(0)


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """Folder of the real multi-contrast data (docs/data.md); tests on it are skipped where it is not set."""
    return _folder(DATA_VARIABLE, "the real MR data")


@pytest.fixture(scope="session")
def shared_reference() -> Path:
    """Folder of the published network's vectors (docs/data.md)."""
    return _folder(REFERENCE_VARIABLE, "the published network's vectors")


def _folder(variable: str, what: str) -> Path:
    folder = os.environ.get(variable)
    if not folder:
        pytest.skip(f"{variable} does not name the folder of {what}")
    return Path(folder)


# as RigidAlignmentd reports it: a turn of 5 degrees and a shift of 3 mm
ALIGNMENT = {
    "registered": True,
    "note": "registered",
    "rotation_degrees": [0.0, 3.0, 4.0],
    "translation_mm": [1.0, 2.0, -2.0],
    "mutual_information_before": 0.5,
    "mutual_information_after": 0.75,
}


class SyntheticPreprocessing:
    """Stands in for reading, aligning and slicing: ellipses of random voxels between two slices of air."""

    def __init__(self, slices: int, height: int, width: int) -> None:
        self.shape = (slices, height, width)

    def __call__(self, item: dict) -> dict:
        slices, height, width = self.shape
        rng = np.random.RandomState(sum(item["subject"].encode()))
        z, y, x = np.ogrid[-1 : 1 : slices * 1j, -1 : 1 : height * 1j, -1 : 1 : width * 1j]
        head = ((y / 0.8) ** 2 + (x / 0.7) ** 2 < 1) & (np.abs(z) < 1)
        volumes = {
            contrast: torch.from_numpy((head * rng.uniform(low, high, self.shape)).astype(np.float32))
            for contrast, low, high in (("t1", 50, 300), ("t2", 200, 900))
        }
        geometry = Geometry.of(np.diag([1.0, 1.0, 5.0, 1.0]), (height, width, slices), None)
        return volumes | {"geometry": geometry, "alignment": ALIGNMENT}


@pytest.fixture
def make_volumes(tmp_path: Path) -> Callable[..., PreparedVolumes]:
    """``make_volumes(count, slices, height, width)``: prepared pairs of subjects s0, s1, ..., without files to read."""

    def make(count: int = 2, slices: int = 4, height: int = 32, width: int = 48) -> PreparedVolumes:
        items = [{"subject": f"s{number}", "t1": f"{number}-1.nii", "t2": f"{number}-2.nii"} for number in range(count)]
        return PreparedVolumes(items, SyntheticPreprocessing(slices, height, width), tmp_path / "prepared")

    return make
