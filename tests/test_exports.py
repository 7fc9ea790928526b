"""The commands of docs/exports.md, as they stand there, on both shipped networks: inference takes what they make."""

from __future__ import annotations

import contextlib
import json
import re
import shlex
from pathlib import Path

import fire
import monai.bundle
import nibabel as nib
import numpy as np
import pandas as pd
import pytest
import torch

from bundle.compute import read_exported
from bundle.networks import MANet
from bundle.training.weights import Weights, load_weights
from tests.bundle_runs import ROOT, run, sentence_of
from tests.nifti_pairs import write_dataset, write_pair
from tests.onnx_files import CLOSE, difference, need_onnx

COMMANDS = {"run": monai.bundle.run, "ckpt_export": monai.bundle.ckpt_export, "onnx_export": monai.bundle.onnx_export}
SMALL = ["--image_size", "32", "--device", "cpu"]
SIZES = [(1, 4, 64, 48), (3, 4, 32, 96)]


def commands(section: str) -> list[list[str]]:
    """The command lines of a section of docs/exports.md, as words."""
    text = re.split(r"^## ", (ROOT / "docs/exports.md").read_text(encoding="utf-8"), flags=re.MULTILINE)
    (found,) = (part for part in text if part.startswith(section))
    code = "".join(re.findall(r"```sh\n(.+?)```", found, re.DOTALL)).replace("\\\n", " ")
    return [shlex.split(line) for line in code.splitlines()]


class Place:
    """A folder with a pair, where commands of the docs are run with one of the shipped networks."""

    def __init__(self, folder: Path, name: str) -> None:
        self.folder, self.weights = folder, f"models/{name}.pt"
        self.pair = write_pair(folder, "x")
        run("inference", **self.settings(), checkpoint=str(ROOT / self.weights), output_dir=str(folder / "torch"))
        self.network = load_weights((weights := Weights.read(ROOT / self.weights)).network(), weights).eval()

    def settings(self) -> dict:
        """An export computes in float32, so the network that it is compared with does, too."""
        return {"t1": self.pair[0], "t2": self.pair[1], "image_size": 32, "device": "cpu", "amp": False}

    def run(self, words: list[str]) -> None:
        given = dict(zip(("T1.nii.gz", "T2.nii.gz", "models/model.pt"), (*self.pair, self.weights)))
        words = [re.sub("^OUT", str(self.folder), given.get(word, word)) for word in words]
        assert words[:3] == ["python", "-m", "monai.bundle"]
        with contextlib.chdir(ROOT):
            fire.Fire(COMMANDS, command=words[3:] + (SMALL if words[3] == "run" else []))

    def reconstruction(self, kind: str) -> np.ndarray:
        return nib.load(self.folder / kind / "x-T2_recon.nii.gz").get_fdata()


@pytest.fixture(scope="module", params=["model", "manet"])
def place(request, tmp_path_factory) -> Place:
    return Place(tmp_path_factory.mktemp(request.param), request.param)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("section", "file", "output", "close"),
    [("TorchScript", "model.ts", "torchscript", 1e-5), ("ONNX", "model.onnx", "onnx", CLOSE)],
)
def test_the_exported_network_agrees_and_inference_takes_it(place, section, file, output, close):
    if section == "ONNX":
        need_onnx()
    export, inference = commands(section)
    place.run(export)
    exported = read_exported(place.folder / file, (place.folder / file).read_bytes())
    for shape in SIZES:
        assert difference(exported, place.network, *shape) < close
    place.run(inference)
    found, expected = place.reconstruction(output), place.reconstruction("torch")
    assert np.abs(found - expected).max() < close * np.ptp(expected)
    weights = json.loads((place.folder / output / "x-T2_recon.json").read_text())["weights"]
    assert weights["file"] == str(place.folder / file)
    assert weights["network"] == (type(place.network).__name__ if section == "TorchScript" else "ONNX")


@pytest.mark.slow
def test_evaluation_takes_an_export_too(tmp_path):
    network = MANet(channels=4, depth=1).eval()
    torch.save(network.state_dict(), tmp_path / "manet.pt")
    torch.jit.save(torch.jit.script(network), tmp_path / "manet.ts")
    settings = {"dataset_dir": str(write_dataset(tmp_path / "data")), "image_size": 32, "device": "cpu", "amp": False}
    tables = []
    for checkpoint in (tmp_path / "manet.pt", tmp_path / "manet.ts"):
        output_dir = tmp_path / checkpoint.suffix[1:]
        run("evaluating", **settings, checkpoint=str(checkpoint), output_dir=str(output_dir))
        tables.append(pd.read_csv(output_dir / "metrics.csv"))
    pd.testing.assert_frame_equal(*tables, rtol=1e-3)


def test_without_a_gpu_tensorrt_is_refused_before_anything_is_written(place):
    (inference,) = commands("TensorRT")
    with pytest.raises(Exception) as raised:
        place.run(inference)
    assert "NVIDIA GPU, and the device here is cpu; leave configs/inference_trt.yaml out" in sentence_of(raised.value)
    assert not (place.folder / "tensorrt").exists()
