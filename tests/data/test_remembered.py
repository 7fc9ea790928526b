"""A registration is computed once for the same voxels, affines and settings, and nothing of an image is kept."""

from __future__ import annotations

import json
import pickle

import pytest
import torch
from monai.data import MetaTensor

from bundle.data import RigidAlignmentd
from bundle.data.remembered import remembered
from tests.nifti_pairs import T1_AFFINE, T1_SHAPE, T2_AFFINE, T2_SHAPE, head


def volumes(seed: int = 0, shift: float = 0.0) -> list[MetaTensor]:
    grids = (("t2", T2_AFFINE, T2_SHAPE), ("t1", T1_AFFINE, T1_SHAPE))
    found = [MetaTensor(torch.from_numpy(head(at, shape, name, seed))[None], affine=at) for name, at, shape in grids]
    found[1].affine[0, 3] += shift
    return found


def test_only_what_changes_the_result_is_computed_anew(tmp_path):
    calls = []

    def register() -> dict:
        calls.append(1)
        return {"t2_to_t1": [[1.0, 0.1]], "likeness": 1.5}

    first = remembered(tmp_path / "new", volumes(), {"levels": 3}, register)
    assert remembered(tmp_path / "new", volumes(), {"levels": 3}, register) == first and len(calls) == 1
    for others, settings in ((volumes(1), {"levels": 3}), (volumes(0, 0.5), {"levels": 3}), (volumes(), {"levels": 2})):
        remembered(tmp_path / "new", others, settings, register)
    assert len(calls) == 4
    files = sorted((tmp_path / "new").iterdir())
    assert len(files) == 4 and all(json.loads(file.read_text()) == first for file in files)


@pytest.mark.parametrize("content", ["", "{", "[1]"])
def test_a_damaged_file_is_written_anew(tmp_path, content):
    remembered(tmp_path, volumes(), {}, lambda: {"likeness": 2.0})
    (file,) = tmp_path.iterdir()
    file.write_text(content)
    assert remembered(tmp_path, volumes(), {}, lambda: {"likeness": 3.0}) == {"likeness": 3.0}
    assert json.loads(file.read_text()) == {"likeness": 3.0}


def test_an_alignment_from_memory_is_the_one_that_was_computed(tmp_path, monkeypatch):
    t2, t1 = volumes(shift=4.0)
    align = RigidAlignmentd(levels=2, samples=5000)
    align.memory_dir = tmp_path
    computed = align({"t1": t1, "t2": t2})
    assert computed["alignment"]["registered"] and len(list(tmp_path.iterdir())) == 1
    monkeypatch.setattr("bundle.data.alignment.register_rigid", None)
    again = align({"t1": t1, "t2": t2})
    assert torch.equal(again["t1"], computed["t1"]) and again["alignment"] == computed["alignment"]
    key = pickle.dumps(RigidAlignmentd(levels=2, samples=5000))
    assert pickle.dumps(align) == key  # of prepared slices, which memory changes nothing of
