"""The code of docs/federated.md: two sites, of which neither sees the other's subjects, train one network."""

from __future__ import annotations

import json
import os
import re
from pathlib import Path

import pytest
import torch

from tests.bundle_runs import ROOT, TINY, run
from tests.early import Early, apart, new_folder
from tests.nifti_pairs import write_dataset


def write_site(folder: Path, pairs: Path, subject: str, validation: str) -> Path:
    """A dataset_dir with one subject for training, and one of another list for validation."""
    items = [item for part in json.loads((pairs / "datalist.json").read_text()).values() for item in part]
    items = [item | {name: str(pairs / item[name]) for name in ("t1", "t2")} for item in items]
    lists = {"training": subject, "validation": validation}
    folder.mkdir()
    datalist = {split: [item for item in items if item["subject"] == name] for split, name in lists.items()}
    (folder / "datalist.json").write_text(json.dumps(datalist))
    return folder


def federate(folder: Path) -> dict:
    """What the second block of code leaves after two rounds: weights, the sites' own, batches and the south's SSIM;
    and ``evaluated``, that SSIM as an evaluation has it."""
    pairs = write_dataset(folder / "pairs")
    sites = {
        "north": write_site(folder / "north", pairs, "a", "c"),
        "south": write_site(folder / "south", pairs, "b", "d"),
    }
    imports, program, *_ = re.findall(r"```python\n(.+?)```", (ROOT / "docs/federated.md").read_text(), re.DOTALL)
    names: dict = {}
    os.chdir(ROOT)
    exec(imports, names)
    settings = TINY | {"cache_dir": str(folder / "cache")}
    names |= {"SITES": sites, "SETTINGS": settings, "OUT": folder, "ROUNDS": 2}
    exec(program, names)
    run(
        "evaluating",
        image_size=32,
        device="cpu",
        dataset_dir=str(sites["south"]),
        output_dir=str(folder / "evaluated"),
        cache_dir=settings["cache_dir"],
        checkpoint=str(folder / "federated.pt"),
        split="validation",
        register_to="t2",
    )
    means = json.loads((folder / "evaluated" / "metrics_summary.json").read_text())["metrics"]
    return {
        "weights": names["weights"],
        "sites": [answer.weights for answer in names["answers"]],
        "batches": [algorithm.trainer.state.iteration for algorithm in names["clients"].values()],
        "told": names["clients"]["south"].evaluator.state.metrics["val_ssim"],
        "evaluated": means["ssim"]["mean"],
    }


@Early
def federation() -> dict:
    return apart(federate, new_folder())


@pytest.mark.slow
@pytest.mark.needs(federation)
def test_sites_train_on_their_own_subjects_and_their_mean_is_what_both_evaluate():
    found = federation()
    north, south = found["sites"]
    assert found["batches"] == [2 * 3, 2 * 2]  # rounds, batches of 12 and of 6 slices
    for name, value in found["weights"].items():
        if value.is_floating_point():
            torch.testing.assert_close(value, 0.6 * north[name] + 0.4 * south[name])
    assert any(not torch.equal(north[name], south[name]) for name in north)
    assert found["told"] == pytest.approx(found["evaluated"], rel=1e-4)
