"""A network that onnxruntime computes behaves as any other; files that it cannot take are refused in a sentence."""

from __future__ import annotations

import hashlib
import sys

import pytest
import torch
from torch import nn

from bundle.compute import place
from bundle.compute.onnx_network import OnnxNetwork
from bundle.errors import BundleError
from bundle.networks import DuDoRNet, MANet, UNetT2, Xiang, ZeroFilled
from tests.onnx_files import CLOSE, difference, images, need_onnx, write_onnx


@pytest.fixture(autouse=True)
def onnx() -> None:
    need_onnx()


def opened(path) -> OnnxNetwork:
    return OnnxNetwork(path.read_bytes(), path.name)


@pytest.mark.parametrize(
    "make",
    [
        lambda: MANet(4, depth=2),
        lambda: MANet(4, depth=1, guidance="SC-CS"),
        lambda: MANet(4, depth=1, stage="image", guidance="concatenation"),
        lambda: UNetT2(4, poolings=2),
        lambda: Xiang(4, depth=2),
        lambda: DuDoRNet(4, recurrences=2),
        ZeroFilled,
    ],
    ids=["MANet", "SC-CS", "concatenation", "UNetT2", "Xiang", "DuDoRNet", "ZeroFilled"],
)
def test_each_network_exports_to_one_file_for_all_sizes(make, tmp_path):
    torch.manual_seed(0)
    network = make().eval()
    found = opened(write_onnx(network, tmp_path / "network.onnx"))
    for shape in ((1, 4, 64, 32), (3, 4, 32, 80)):
        assert difference(found, network, *shape) < CLOSE


def test_its_checksum_stands_for_its_weights_wherever_it_is_placed(tmp_path):
    path = write_onnx(ZeroFilled(), tmp_path / "network.onnx")
    network = place(opened(path), "cpu")
    assert bytes(network.state_dict()["checksum"].tolist()) == hashlib.sha256(path.read_bytes()).digest()


def test_a_size_that_does_not_fit_is_refused(tmp_path):
    with pytest.raises(BundleError, match="divisible by 16, not 24 x 32"):
        opened(write_onnx(ZeroFilled(), tmp_path / "network.onnx"))(images(1, 4, 24, 32))
    fixed = opened(write_onnx(ZeroFilled(), tmp_path / "fixed.onnx", dynamic_axes=None))
    with pytest.raises(BundleError, match=r"fixed.onnx was exported for inputs of \[2, 4, 32, 48\] alone, .*onnx.yaml"):
        fixed(images(1, 4, 64, 32))


def test_a_file_that_is_no_network_of_ours_is_refused(tmp_path):
    content = write_onnx(ZeroFilled(), tmp_path / "network.onnx").read_bytes()
    with pytest.raises(BundleError, match="half.onnx is not an ONNX file that onnxruntime can read"):
        OnnxNetwork(content[: len(content) // 2], "half.onnx")
    with pytest.raises(BundleError, match="flat.onnx is not a network of this bundle"):
        opened(write_onnx(nn.Flatten(), tmp_path / "flat.onnx", dynamic_axes=None))


def test_a_device_that_onnxruntime_does_not_know_is_refused(tmp_path):
    network = opened(write_onnx(ZeroFilled(), tmp_path / "network.onnx"))
    with pytest.raises(BundleError, match="does not compute on meta; take --device cpu"):
        network.to("meta")


def test_without_onnxruntime_it_is_told_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "onnxruntime", None)
    with pytest.raises(BundleError, match="network.onnx is computed by onnxruntime, .*pip install onnxruntime"):
        OnnxNetwork(b"", "network.onnx")
