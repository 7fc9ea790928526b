"""What can be tested of TensorRT without a GPU: who is refused, what MONAI is asked for, and what it would export."""

from __future__ import annotations

import inspect
from pathlib import Path

import monai.networks
import pytest
import torch
from monai.networks.trt_compiler import TrtCompiler
from monai.networks.utils import convert_to_onnx
from torch import nn

from bundle.compute import place, place_in_tensorrt, tensorrt
from bundle.compute.onnx_network import OnnxNetwork
from bundle.errors import BundleError
from bundle.networks import Unrolled, ZeroFilled
from tests.onnx_files import CLOSE, difference, images, need_onnx


@pytest.fixture
def weights(tmp_path: Path) -> Path:
    path = tmp_path / "model.pt"
    path.touch()
    return path


@pytest.fixture
def asked(monkeypatch) -> list:
    """A GPU with TensorRT, made believe: what ``trt_compile`` is called with."""
    calls: list = []
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(tensorrt, "find_spec", lambda name: name)
    monkeypatch.setattr(tensorrt, "place", lambda network, device: network)
    monkeypatch.setattr(
        monai.networks, "trt_compile", lambda network, path, args: calls.append((path, args)) or network
    )
    return calls


def test_a_machine_without_a_gpu_is_told(weights):
    with pytest.raises(
        BundleError, match="NVIDIA GPU, and the device here is cpu; leave configs/inference_trt.yaml out"
    ):
        place_in_tensorrt(ZeroFilled(), "cpu", weights, 256, 4)


def test_missing_packages_are_named(weights, asked, monkeypatch):
    monkeypatch.setattr(tensorrt, "find_spec", lambda name: None)
    with pytest.raises(
        BundleError, match="TensorRT needs the Python packages tensorrt, polygraphy, onnx; install them"
    ):
        place_in_tensorrt(ZeroFilled(), "cuda", weights, 256, 4)


def test_one_matrix_and_a_network_of_torch_are_asked_for(weights, asked):
    with pytest.raises(BundleError, match="image_size is a number or a pair here, not null"):
        place_in_tensorrt(ZeroFilled(), "cuda", weights, None, 4)
    with pytest.raises(BundleError, match="takes a checkpoint .* not an exported network"):
        place_in_tensorrt(torch.jit.script(nn.Identity()), "cuda", weights, 256, 4)
    assert asked == []


@pytest.mark.parametrize(("size", "name"), [(256, "256x256"), ([320, 256], "320x256")])
def test_monai_is_asked_for_an_engine_of_this_matrix_beside_the_weights(weights, asked, size, name):
    place_in_tensorrt(ZeroFilled(), "cuda:0", weights, size, 4)
    ((path, arguments),) = asked
    assert path == f"{weights}-{name}"
    assert arguments["dynamic_batchsize"] == [1, 4, 4] and arguments["precision"] == "fp32"
    assert arguments["timestamp"] == int(weights.stat().st_mtime)
    assert arguments.keys() <= inspect.signature(TrtCompiler).parameters.keys()


@pytest.mark.slow
def test_what_tensorrt_would_be_handed_computes_the_same(weights, asked, tmp_path):
    need_onnx()
    torch.manual_seed(0)
    network = place(Unrolled(cascades=1, widths=(4, 4)).eval(), "cpu")
    nn.init.normal_(network.regularisers[0].head.weight, std=0.1)
    place_in_tensorrt(network, "cuda", weights, [32, 48], 4)
    path = tmp_path / "model.onnx"
    convert_to_onnx(  # as TrtCompiler does
        network,
        {"image": images(4, 4, 32, 48)},
        filename=str(path),
        input_names=["image"],
        output_names=[],
        dynamic_axes={"image": [0]},
        **asked[0][1]["export_args"],
    )
    assert difference(OnnxNetwork(path.read_bytes(), path.name), network, 2, 4, 32, 48) < CLOSE
