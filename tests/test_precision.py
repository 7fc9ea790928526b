"""Mixed precision is used on a GPU only, in bfloat16 where the GPU has it, and never for the FFTs."""

from __future__ import annotations

import pytest
import torch

from bundle.fourier import magnitude_image
from bundle.precision import amp_dtype, use_amp


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
