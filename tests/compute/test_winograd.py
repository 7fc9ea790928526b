"""Own operators compute what torch's do, forwards and backwards, and step aside where they do not belong."""

from __future__ import annotations

import pytest
import torch
from torch import nn
from torch.nn import functional as F

from bundle.compute import winograd as operators
from bundle.compute.winograd import Conv3x3, FullPrecisionConv1x1, MaxPool2x2, Upsample2x2, torch_operators


@pytest.fixture(autouse=True)
def no_avx512(monkeypatch):
    """A processor that the operators are for, whichever this one is."""
    monkeypatch.setattr(operators, "has_avx512", lambda: False)


def features(*shape: int) -> torch.Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(0))


def gradients(module: nn.Module, values: torch.Tensor) -> list[torch.Tensor]:
    """Output, and the gradients for input and parameters, of a loss that weighs every output otherwise."""
    module.zero_grad()
    values = values.clone().requires_grad_()
    output = module(values)
    (output * features(*output.shape).roll(1, -1)).sum().backward()
    return [output, values.grad, *(parameter.grad.clone() for parameter in module.parameters())]


@pytest.mark.skipif(not torch.backends.nnpack.is_available(), reason="this processor has no NNPACK")
@pytest.mark.parametrize("bias", [True, False])
@pytest.mark.parametrize("shape", [(1, 32, 64, 80), (3, 40, 65, 64)])
def test_winograds_convolution_equals_torchs_with_all_gradients(shape, bias):
    torch.manual_seed(0)
    conv, values = Conv3x3(shape[1], 48, bias), features(*shape)
    assert "Winograd" in type(conv(values).grad_fn).__name__
    own = gradients(conv, values)
    with torch_operators():
        expected = gradients(conv, values)
    for found, wanted in zip(own, expected):
        assert (found - wanted).abs().max() <= 3e-5 * wanted.abs().max()


@pytest.mark.parametrize(
    "values",
    [
        features(1, 32, 32, 32),
        features(1, 32, 64, 64).double(),
        features(1, 32, 64, 64).contiguous(memory_format=torch.channels_last),
    ],
    ids=["small", "double", "channels last"],
)
def test_convolution_is_torchs_where_winograds_does_not_belong(values):
    conv = Conv3x3(32, 32).to(values.dtype)
    assert "Winograd" not in type(conv(values).grad_fn).__name__
    assert torch.equal(conv(values), F.conv2d(values, conv.weight, conv.bias, padding=1))


def test_convolution_under_autocast_and_tracing_is_torchs(monkeypatch):
    monkeypatch.setattr(operators, "_winograd", None)  # calling it would fail
    conv, values = Conv3x3(32, 32), features(1, 32, 64, 64)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        assert conv(values).dtype == torch.bfloat16
    traced = torch.jit.trace(conv, values, check_trace=False)  # its check runs the module once more, untraced
    torch.testing.assert_close(traced(values), F.conv2d(values, conv.weight, conv.bias, padding=1))


def test_convolution_on_a_cpu_with_avx512_is_torchs(monkeypatch):
    monkeypatch.setattr(operators, "has_avx512", lambda: True)
    assert "Winograd" not in type(Conv3x3(32, 32)(features(1, 32, 64, 64)).grad_fn).__name__


def test_last_convolution_leaves_mixed_precision_and_is_torchs_without():
    conv, values = FullPrecisionConv1x1(8, 2), features(1, 8, 6, 6)
    assert torch.equal(conv(values), F.conv2d(values, conv.weight, conv.bias))
    halves = values.bfloat16().requires_grad_()
    with torch.autocast("cpu", dtype=torch.bfloat16):
        output = conv(halves)
    assert torch.equal(output, conv(halves.float()))
    output.sum().backward()
    assert halves.grad.dtype == torch.bfloat16 and conv.weight.grad.dtype == torch.float32


def test_pooling_equals_torchs_and_so_do_its_gradients_after_a_relu():
    values = features(2, 3, 8, 12)
    assert torch.equal(MaxPool2x2()(values), F.max_pool2d(values, 2))
    own, torchs = nn.Sequential(nn.ReLU(), MaxPool2x2()), nn.Sequential(nn.ReLU(), nn.MaxPool2d(2))
    for found, wanted in zip(gradients(own, values), gradients(torchs, values)):
        assert torch.equal(found, wanted)


def test_upsampling_equals_torchs_with_and_without_gradients():
    torch.manual_seed(0)
    module, values = Upsample2x2(8), features(2, 8, 6, 10)
    expected = F.conv_transpose2d(values, module.weight, module.bias, 2, 1)
    assert torch.equal(module(values), expected)
    with torch.no_grad():
        output = module(values)
    assert output.is_contiguous()
    torch.testing.assert_close(output, expected)
