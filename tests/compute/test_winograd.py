"""Winograd's convolution computes what torch's does, forwards and backwards, and steps aside where it is no use."""

from __future__ import annotations

import copy
import sys
from pathlib import Path
from subprocess import CompletedProcess

import pytest
import torch
from torch import nn
from torch.nn import functional as F

from bundle.compute.winograd import WinogradConv2d, use_winograd
from bundle.networks import MANet
from tests.bundle_runs import run_command
from tests.early import Early, apart, new_folder

needs_nnpack = pytest.mark.skipif(not torch.backends.nnpack.is_available(), reason="this processor has no NNPACK")


def features(*shape: int) -> torch.Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(0))


def gradients(module: nn.Module, values: torch.Tensor) -> list[torch.Tensor]:
    """Output, and the gradients for input and parameters, of a loss that weighs every output otherwise."""
    module.zero_grad()
    values = values.clone().requires_grad_()
    output = module(values)
    (output * features(*output.shape).roll(1, -1)).sum().backward()
    return [output, values.grad, *(parameter.grad.clone() for parameter in module.parameters())]


def by_winograd(module: nn.Module, values: torch.Tensor) -> bool:
    return "Winograd" in type(module(values).grad_fn).__name__


@needs_nnpack
@pytest.mark.parametrize("bias", [True, False])
@pytest.mark.parametrize("shape", [(1, 32, 64, 80), (3, 40, 65, 64)])
def test_winograds_convolution_equals_torchs_with_all_gradients(shape, bias):
    torch.manual_seed(0)
    conv, values = WinogradConv2d(shape[1], 48, 3, padding=1, bias=bias), features(*shape)
    assert by_winograd(conv, values)
    own = gradients(conv, values)
    plain = nn.Conv2d(shape[1], 48, 3, padding=1, bias=bias)
    plain.load_state_dict(conv.state_dict())
    for found, wanted in zip(own, gradients(plain, values), strict=True):
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
    conv = WinogradConv2d(32, 32, 3, padding=1).to(values.dtype)
    assert not by_winograd(conv, values)
    assert torch.equal(conv(values), F.conv2d(values, conv.weight, conv.bias, padding=1))


def test_convolution_under_autocast_tracing_and_scripting_is_torchs(monkeypatch):
    monkeypatch.setattr(torch, "_nnpack_spatial_convolution", None)  # calling it would fail
    conv, values = WinogradConv2d(32, 32, 3, padding=1), features(1, 32, 64, 64)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        assert conv(values).dtype == torch.bfloat16
    expected = F.conv2d(values, conv.weight, conv.bias, padding=1)
    traced = torch.jit.trace(conv, values, check_trace=False)  # its check runs the module once more, untraced
    torch.testing.assert_close(traced(values), expected)
    torch.testing.assert_close(torch.jit.script(conv)(values), expected)


@needs_nnpack
def test_conversion_keeps_parameters_names_and_mode_and_survives_a_copy():
    torch.manual_seed(0)
    network = MANet(channels=32, depth=1, stage="image").eval()
    values = features(1, 4, 64, 64)
    with torch.no_grad():
        expected = network(values)
    before = dict(network.named_parameters())
    assert use_winograd(network) is network
    for candidate in (network, copy.deepcopy(network)):
        assert isinstance(candidate.image_stage.t2_stream.bottom.convs[0], WinogradConv2d)
        assert list(candidate.state_dict()) == list(MANet(channels=32, depth=1, stage="image").state_dict())
        assert not any(module.training for module in candidate.modules())
        with torch.no_grad():
            assert (candidate(values) - expected).abs().max() <= 1e-4 * expected.abs().max()
    assert all(parameter is before[name] for name, parameter in network.named_parameters())


@pytest.mark.parametrize(
    "conv",
    [
        nn.Conv2d(32, 16, 3, padding=1),
        nn.Conv2d(32, 32, 1),
        nn.Conv2d(32, 32, 3),
        nn.Conv2d(32, 32, 3, padding=2, dilation=2),
        nn.Conv2d(32, 32, 3, padding=1, stride=2),
        nn.Conv2d(32, 32, 3, padding=1, groups=2),
        nn.Conv2d(32, 32, 3, padding=1, padding_mode="reflect"),
        nn.ConvTranspose2d(32, 32, 3, padding=1),
    ],
    ids=str,
)
def test_convolutions_of_another_kind_or_of_few_features_are_left(conv):
    assert use_winograd(nn.Sequential(conv))[0] is conv


def convert(path: Path) -> None:
    torch.save(use_winograd(nn.Sequential(nn.Conv2d(32, 32, 3, padding=1))), path)


@Early
def computed_elsewhere() -> CompletedProcess:
    """What became of a process that computes with a network which another has converted."""
    path = new_folder() / "network.pt"
    apart(convert, path)
    use = f"network = torch.load(r'{path}', weights_only=False); network(torch.zeros(1, 32, 64, 64))"
    return run_command([sys.executable, "-c", f"import torch; {use}"])


@needs_nnpack
@pytest.mark.slow
@pytest.mark.needs(computed_elsewhere)
def test_a_converted_network_computes_in_a_process_that_did_not_convert_it():
    ended = computed_elsewhere()
    assert ended.returncode == 0, ended.stderr


def test_convolution_without_nnpack_is_torchs(monkeypatch):
    monkeypatch.setattr(torch.backends.nnpack, "is_available", lambda: False)
    assert not by_winograd(WinogradConv2d(32, 32, 3, padding=1), features(1, 32, 64, 64))
