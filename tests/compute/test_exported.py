"""Exported networks are read back as they are: in float32, not compiled, or refused in a sentence."""

from __future__ import annotations

import io
from pathlib import Path

import pytest
import torch
from monai.inferers import SimpleInferer

from bundle.compute import MixedPrecisionInferer, is_exported, memory_format, place, precision, read_exported
from bundle.errors import BundleError
from bundle.networks import MANet
from tests.onnx_files import difference, images


@pytest.fixture(scope="module")
def content() -> bytes:
    """A TorchScript file."""
    torch.manual_seed(0)
    buffer = io.BytesIO()
    torch.jit.save(torch.jit.script(MANet(32, depth=1, stage="image").eval()), buffer)
    return buffer.getvalue()


def test_torchscript_is_laid_out_as_the_network_itself_and_computes_in_float32(content, monkeypatch):
    monkeypatch.setattr(precision, "has_amx", lambda: True)
    torch.manual_seed(0)
    network, script = MANet(32, depth=1, stage="image").eval(), read_exported(Path("a.ts"), content)
    assert is_exported(script) and not is_exported(network)
    assert memory_format(script, "cpu") is memory_format(network, "cpu")
    inferer = MixedPrecisionInferer(SimpleInferer(), True, "cpu")
    placed = place(script, "cpu")
    assert inferer.mixes(network) and not inferer.mixes(placed)
    with torch.no_grad():
        assert torch.equal(inferer(images(1, 4, 32, 48), placed), placed(images(1, 4, 32, 48)))
    assert difference(placed, network, 2, 4, 32, 48) < 1e-5


def test_an_export_is_not_compiled(content):
    with pytest.raises(BundleError, match="exported network cannot be compiled; leave compile false"):
        place(read_exported(Path("a.ts"), content), "cpu", compile=True)


def test_half_a_torchscript_file_is_refused(content):
    with pytest.raises(BundleError, match="a.ts is not a TorchScript file that can be read; was it cut short"):
        read_exported(Path("a.ts"), content[: len(content) // 2])
