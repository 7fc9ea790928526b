"""A folder of pairs of one analytic head each, some with a planted error, and what was found of them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import nibabel as nib
import numpy as np
import pytest
from monai.data import MetaTensor

from bundle.data.datalist import write_datalist
from bundle.quality import examine
from bundle.quality.mirror import mirrored
from tests.data.analytic_head import SAGITTAL, grid, head, moved

T2_SHAPE, T1_SHAPE = (40, 48, 20), (48, 40, 28)
NAMES = ("none", "far", "mirrored", "other", "damaged")
T2_GRID, T1_GRID = grid((4.0, 4.0, 6.0), T2_SHAPE), grid((4.0, 4.0, 5.0), T1_SHAPE, SAGITTAL)
SMALL_MOVE, FAR = moved((1, -2, 1), (2, -1, 2)), moved((0, 9, 12), (12, 16, 0))  # 3 mm; 15 degrees and 20 mm


def save(volume: MetaTensor, path: Path) -> str:
    nib.save(nib.Nifti1Image(volume.numpy()[0], np.asarray(volume.affine)), path)
    return str(path)


def t1_of(person: int, error: str) -> MetaTensor:
    """A person's T1 with an error: none, ``far``, ``mirrored``, ``other``, ``damaged``."""
    t1 = head("t1", T1_GRID, T1_SHAPE, FAR if error == "far" else SMALL_MOVE, person + 100 * (error == "other"))
    return mirrored(t1) if error == "mirrored" else t1


@pytest.fixture(scope="session")
def pairs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with ``datalist.json``: a pair for each kind of error, named after it."""
    folder = tmp_path_factory.mktemp("pairs")
    items = []
    for person, error in enumerate(NAMES):
        t1 = save(t1_of(person, error), folder / f"{error}-T1.nii.gz")
        t2 = save(head("t2", T2_GRID, T2_SHAPE, person=person), folder / f"{error}-T2.nii.gz")
        items.append({"subject": error, "t1": t1, "t2": t2})
    cut = folder / "damaged-T1.nii.gz"
    cut.write_bytes(cut.read_bytes()[:-2000])
    write_datalist({"training": items[:2], "test": items[2:]}, folder / "datalist.json")
    return folder


@pytest.fixture(scope="session")
def examined(pairs: Path) -> dict[str, dict[str, Any]]:
    """What is known of each pair."""
    files = {name: {f"t{number}": str(pairs / f"{name}-T{number}.nii.gz") for number in (1, 2)} for name in NAMES}
    return {name: examine({"subject": name, **files[name]}, samples=20_000) for name in NAMES}
