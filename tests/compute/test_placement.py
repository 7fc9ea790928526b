"""The layout and the convolutions that are faster on each processor; settings that change no result."""

from __future__ import annotations

import shutil

import pytest
import torch

from bundle.compute import memory_format, place, placement
from bundle.compute.winograd import WinogradConv2d
from bundle.networks import DuDoRNet, MANet, UNetT2, Xiang, ZeroFilled
from tests.early import Early, apart

FIRST, LAST = torch.contiguous_format, torch.channels_last


@pytest.mark.parametrize("avx512", [False, True])
@pytest.mark.parametrize(
    ("channels_last", "device", "network", "layouts"),
    [
        (None, "cuda", MANet(64, depth=1), (LAST, LAST)),
        (None, "cpu", MANet(8, depth=1), (LAST, LAST)),
        ("null", "cpu", MANet(64, depth=1), (FIRST, LAST)),
        (None, "cpu", UNetT2(32, poolings=1), (FIRST, LAST)),
        (None, "cpu", UNetT2(16), (LAST, LAST)),  # though 256 at its bottom
        (None, "cpu", Xiang(31, depth=1), (LAST, LAST)),
        (None, "cpu", DuDoRNet(32), (FIRST, LAST)),
        (None, "cpu", ZeroFilled(), (LAST, LAST)),
        (True, "cpu", MANet(64, depth=1), (LAST, LAST)),
        ("false", "cuda", MANet(64, depth=1), (FIRST, FIRST)),
        (False, "cpu", MANet(8, depth=1), (FIRST, FIRST)),
    ],
    ids=lambda value: type(value).__name__,
)
def test_layout_is_the_faster_one_unless_one_is_asked_for(channels_last, device, network, layouts, avx512, monkeypatch):
    monkeypatch.setattr(placement, "has_avx512", lambda: avx512)
    assert memory_format(network, device, channels_last) is layouts[avx512]


@pytest.mark.parametrize(
    ("avx512", "channels_last", "wanted"), [(False, None, True), (False, True, False), (True, False, False)]
)
def test_winograds_convolution_is_for_channels_first_on_a_cpu_without_avx512(
    avx512, channels_last, wanted, monkeypatch
):
    monkeypatch.setattr(placement, "has_avx512", lambda: avx512)
    network = place(MANet(32, depth=1, stage="image"), "cpu", channels_last)
    assert any(isinstance(module, WinogradConv2d) for module in network.modules()) is wanted


@pytest.mark.parametrize("channels_last", [True, False])
def test_layout_changes_results_by_rounding_alone(channels_last):
    network = MANet(channels=4, depth=1).eval()
    image = torch.randn(2, 4, 32, 48, generator=torch.Generator().manual_seed(0))
    expected = network(image)
    found = place(network, "cpu", channels_last)(image)
    assert (found - expected).abs().max() <= 1e-4 * expected.abs().max()


def compile_and_compare() -> tuple[float, bool]:
    """How far a compiled network's image is from the network's own, and whether the names of weights are the same."""
    network = UNetT2(channels=4, poolings=1).eval()
    image = torch.randn(1, 4, 32, 32, generator=torch.Generator().manual_seed(0))
    with pytest.MonkeyPatch.context() as patch, torch.no_grad():
        patch.setattr(placement, "has_avx512", lambda: False)
        patch.setattr("torch._inductor.config.compile_threads", 1)  # more are processes, which import torch first
        expected, names = network(image), list(network.state_dict())
        compiled = place(network, "cpu", compile=True)
        error = (compiled(image) - expected).abs().max() / expected.abs().max()
    return float(error), list(compiled.state_dict()) == names


@Early
def compiled() -> tuple[float, bool]:
    return apart(compile_and_compare)


@pytest.mark.slow
@pytest.mark.needs(compiled)
def test_compiled_network_computes_the_same_and_keeps_its_weights_names():
    if shutil.which("g++") is None and shutil.which("clang++") is None:
        pytest.skip("torch.compile needs a C++ compiler on a CPU, and there is none")
    error, same_names = compiled()
    assert error <= 1e-4 and same_names
