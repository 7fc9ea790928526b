"""What MONAI Label's stock app makes of inference.yaml: ``preprocessing``, network, ``inferer``, ``postprocessing``."""

from __future__ import annotations

import copy
from pathlib import Path

import numpy as np
import pytest
import torch
from monai.bundle import ConfigParser

from bundle import BundleError, reconstruct
from bundle.settings.shipped import CONFIGS
from tests.bundle_runs import ROOT


def config(checkpoint: Path) -> ConfigParser:
    parser = ConfigParser()
    parser.read_config(str(CONFIGS / "inference.yaml"))
    changed = {"bundle_root": str(ROOT), "device": "cpu", "checkpoint": str(checkpoint), "image_size": 32}
    parser.config.update(changed | {"amp": False})  # bfloat16 rounds otherwise in another layout in memory
    return parser


def served(parser: ConfigParser, checkpoint: Path, request: dict) -> dict:
    """One request, step by step as ``monailabel.tasks.infer.bundle`` takes it."""
    network = copy.deepcopy(parser.get_parsed_content("network_def"))
    network.load_state_dict(torch.load(checkpoint, weights_only=True))
    data = {"model": "manet", "device": "cpu", "latencies": {}, **request}
    for transform in parser.get_parsed_content("preprocessing").transforms:
        data = transform(data)
    with torch.no_grad():
        data["pred"] = parser.get_parsed_content("inferer")(data["image"][None], network.eval())[0]
    for transform in parser.get_parsed_content("postprocessing").transforms:
        data = transform(data)
    return data


@pytest.fixture(scope="module")
def expected(pair, checkpoint) -> torch.Tensor:
    return reconstruct(*pair, checkpoint=checkpoint, device="cpu", image_size=32, amp=False)


@pytest.mark.parametrize("given", [True, False], ids=["t1 given", "t1 found beside"])
def test_one_request_gives_the_command_lines_voxels_and_place(pair, checkpoint, expected, given):
    t1, t2 = pair
    parser = config(checkpoint)
    data = served(parser, checkpoint, {"image": t2} | ({"t1": t1} if given else {}))
    assert data["pred"].shape == (1, *expected.shape) and data["model"] == "manet"
    np.testing.assert_allclose(data["pred"][0].numpy(), expected.numpy(), atol=0.004)
    np.testing.assert_array_equal(data["pred"].affine, expected.affine)
    items = parser.ref_resolver.resolved_content
    assert not {"volumes", "dataset", "demo_data", "evaluator"} & items.keys()  # no data set is built for it


def test_integers_are_the_same_image_in_steps(pair, checkpoint, expected):
    data = served(config(checkpoint), checkpoint, {"image": pair[1], "result_dtype": "uint8"})
    stored = data["pred"].numpy().astype("uint8")
    assert stored.max() == 255 and len(np.unique(stored)) > 100
    back = stored[0] / data["result"]["intensity_scale"]
    np.testing.assert_allclose(back, expected.clamp(min=0), atol=0.51 / data["result"]["intensity_scale"])


def test_a_t1_of_another_head_is_refused_in_the_sentence_of_inference(pair, checkpoint, tmp_path, monkeypatch):
    parser = config(checkpoint)
    parser.parse()
    align = parser.get_parsed_content("preparation").transforms[-2]
    align.least_likeness = 100.0  # as if it had been judged so; tests/data/test_alignment.py has real pairs
    with pytest.raises(BundleError, match="T1 and T2 do not seem to show the same anatomy"):
        served(parser, checkpoint, {"image": pair[1]})
