"""The code of docs/federated.md: two sites, of which neither sees the other's subjects, train one network."""

from __future__ import annotations

import json
import re
import sys
from pathlib import Path

import pytest
import torch

from tests.bundle_runs import ROOT, TINY, run
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


@pytest.fixture(scope="module")
def federation(tmp_path_factory) -> dict:
    """What the second block of code leaves, after two rounds; ``before`` are the weights that it began with."""
    folder = tmp_path_factory.mktemp("federation")
    pairs = write_dataset(folder / "pairs")
    sites = {
        "north": write_site(folder / "north", pairs, "a", "c"),
        "south": write_site(folder / "south", pairs, "b", "d"),
    }
    imports, program, *_ = re.findall(r"```python\n(.+?)```", (ROOT / "docs/federated.md").read_text(), re.DOTALL)
    names: dict = {}
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(ROOT)
        patch.setattr(sys, "path", list(sys.path))
        exec(imports, names)
        settings = TINY | {"cache_dir": str(folder / "cache")}
        names |= {"SITES": sites, "SETTINGS": settings, "OUT": folder, "ROUNDS": 2}
        exec(program, names)
    return names


@pytest.mark.slow
def test_sites_train_on_their_own_subjects_and_their_mean_is_what_both_evaluate(federation, tmp_path):
    north, south = (answer.weights for answer in federation["answers"])
    batches = [algorithm.trainer.state.iteration for algorithm in federation["clients"].values()]
    assert batches == [2 * 3, 2 * 2]  # rounds, batches of 12 and of 6 slices
    for name, value in federation["weights"].items():
        if value.is_floating_point():
            torch.testing.assert_close(value, 0.6 * north[name] + 0.4 * south[name])
    assert any(not torch.equal(north[name], south[name]) for name in north)
    run(
        "evaluating",
        image_size=32,
        device="cpu",
        dataset_dir=str(federation["SITES"]["south"]),
        output_dir=str(tmp_path),
        cache_dir=federation["SETTINGS"]["cache_dir"],
        checkpoint=str(federation["OUT"] / "federated.pt"),
        split="validation",
        register_to="t2",
    )
    means = json.loads((tmp_path / "metrics_summary.json").read_text())["metrics"]
    told = federation["clients"]["south"].evaluator.state.metrics
    assert told["val_ssim"] == pytest.approx(means["ssim"]["mean"], rel=1e-4)
