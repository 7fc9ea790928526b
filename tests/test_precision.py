"""Mixed precision on a GPU only and never for the FFTs; the layout that is faster; knobs that change no result."""

from __future__ import annotations

import shutil

import pytest
import torch

from bundle.fourier import magnitude_image
from bundle.networks import MANet
from bundle.precision import amp_dtype, memory_format, place, use_amp


@pytest.mark.parametrize(
    ("amp", "device", "used"),
    [(True, "cuda", True), (True, "cuda:1", True), (False, "cuda", False), (True, "cpu", False), (False, "cpu", False)],
)
def test_mixed_precision_is_used_where_it_is_asked_for_and_the_device_is_a_gpu(amp, device, used):
    assert use_amp(amp, device) is used and use_amp(amp, torch.device(device)) is used


@pytest.mark.parametrize(("supported", "dtype"), [(True, torch.bfloat16), (False, torch.float16)])
def test_gpu_without_bfloat16_gets_float16(monkeypatch, supported, dtype):
    monkeypatch.setattr(torch.cuda, "is_bf16_supported", lambda: supported)
    assert amp_dtype("cuda:0") is dtype and amp_dtype(torch.device("cuda")) is dtype
    assert amp_dtype("cpu") is torch.bfloat16


def test_fourier_transform_of_half_precision_values_is_computed_in_float32():
    kspace = torch.randn(1, 2, 16, 16, generator=torch.Generator().manual_seed(0)).bfloat16()
    with torch.autocast("cpu", dtype=torch.bfloat16):
        image = magnitude_image(kspace)
    assert image.dtype == torch.float32
    torch.testing.assert_close(image, magnitude_image(kspace.float()))


@pytest.mark.parametrize(
    ("channels_last", "device", "channels", "layout"),
    [(None, "cuda", 64, torch.channels_last), (None, "cpu", 8, torch.channels_last),
     ("null", "cpu", 64, torch.contiguous_format), (None, "cpu", 32, torch.contiguous_format),
     (None, "cpu", None, torch.channels_last), (True, "cpu", 64, torch.channels_last),
     ("false", "cuda", 64, torch.contiguous_format)],
)
def test_layout_is_the_faster_one_unless_one_is_asked_for(channels_last, device, channels, layout):
    assert memory_format(channels_last, device, channels) is layout


@pytest.mark.parametrize("settings", [{"channels_last": True}, {"channels_last": False}])
def test_layout_changes_results_by_rounding_alone(settings):
    network = MANet(channels=4).eval()
    image = torch.randn(2, 4, 32, 48, generator=torch.Generator().manual_seed(0))
    expected = network(image)
    found = place(network, "cpu", 4, **settings)(image)
    assert (found - expected).abs().max() <= 1e-4 * expected.abs().max()


@pytest.mark.slow
def test_compiled_network_computes_the_same_and_keeps_its_weights_names():
    if shutil.which("g++") is None and shutil.which("clang++") is None:
        pytest.skip("torch.compile needs a C++ compiler on a CPU, and there is none")
    network = MANet(channels=4, depth=1, stage="image").eval()
    image = torch.randn(1, 4, 32, 32, generator=torch.Generator().manual_seed(0))
    expected, names = network(image), list(network.state_dict())
    compiled = place(network, "cpu", 4, compile=True)
    assert (compiled(image) - expected).abs().max() <= 1e-4 * expected.abs().max()
    assert list(compiled.state_dict()) == names
