"""3x3 convolutions by Winograd's algorithm (Lavin and Gray, CVPR 2016), for CPUs without AVX-512.

NNPACK has it, which torch carries for x86 and ARM: several times fewer multiplications, results within rounding (1e-5
of the largest value). Measured in docs/performance.md.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.grad import conv2d_weight

from .conversion import convert_modules

__all__ = ["WinogradConv2d", "use_winograd"]

_MIN_CHANNELS = 32  # with fewer, and for smaller images, the algorithm spends more than it saves
_MIN_SIZE = 64


def use_winograd(network: nn.Module) -> nn.Module:
    """Let the 3x3 convolutions of a network compute by Winograd's algorithm, in place; returns the network.

    Only those of enough features are converted.
    """
    return convert_modules(network, lambda module: WinogradConv2d if _suits(module) else None)


def _suits(module: nn.Module) -> bool:
    return (
        type(module) is nn.Conv2d
        and module.kernel_size == (3, 3)
        and module.stride == module.padding == module.dilation == (1, 1)
        and module.padding_mode == "zeros"
        and module.groups == 1
        and min(module.in_channels, module.out_channels) >= _MIN_CHANNELS
    )


class WinogradConv2d(nn.Conv2d):
    """3x3 convolution by Winograd's algorithm, of one image after the other.

    It is torch's own for small images, on another device, in another precision or layout, under ``torch.compile``,
    tracing and scripting, and where NNPACK is missing or does not know the processor.
    """

    def forward(self, input: Tensor) -> Tensor:  # noqa: A002 - as nn.Conv2d has it
        """``(b, in_channels, h, w)`` to ``(b, out_channels, h, w)``."""
        if torch.jit.is_scripting():
            return self._conv_forward(input, self.weight, self.bias)
        if not _computes_eagerly(input) or min(input.shape[-2:]) < _MIN_SIZE:
            return self._conv_forward(input, self.weight, self.bias)
        return _Winograd.apply(input, self.weight, self.bias)


class _Winograd(torch.autograd.Function):
    """The gradient for the input is again such a convolution; that for the weights is torch's own."""

    @staticmethod
    def forward(ctx: Any, features: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
        """``(b, c, h, w)``, ``(o, c, 3, 3)`` and ``(o,)`` to ``(b, o, h, w)``."""
        ctx.save_for_backward(features, weight)
        return _convolve(features, weight, bias)

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor | None, Tensor | None, Tensor | None]:
        """The gradient of the output to those of features, weight and bias; None where none is asked for."""
        features, weight = ctx.saved_tensors
        gradient = gradient.contiguous()
        for_features, for_weight, for_bias = ctx.needs_input_grad
        mirrored = weight.transpose(0, 1).flip(-2, -1).contiguous()
        return (
            _convolve(gradient, mirrored, None) if for_features else None,
            conv2d_weight(features, weight.shape, gradient, padding=1) if for_weight else None,
            gradient.sum((0, 2, 3)) if for_bias else None,
        )


def _convolve(features: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
    """Image by image: NNPACK's way for batches is slower."""
    outputs = [torch._nnpack_spatial_convolution(one, weight, bias, [1, 1], [1, 1]) for one in features.split(1)]
    return outputs[0] if len(outputs) == 1 else torch.cat(outputs)


def _computes_eagerly(features: Tensor) -> bool:
    """Whether this is eager computation in float32 on a CPU, channels first."""
    return (
        features.device.type == "cpu"
        and features.dtype == torch.float32
        and features.is_contiguous()
        and not torch.is_autocast_enabled("cpu")
        and not torch.compiler.is_compiling()
        and not torch.jit.is_tracing()
        and torch.backends.nnpack.is_available()  # asking also makes it ready, in each process
    )
