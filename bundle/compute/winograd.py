"""A convolution, a pooling and an upsampling that compute what torch's do, faster on a CPU where images are large.

They look at what they are given: on another device, on a CPU with AVX-512, in another layout or precision, under
``torch.compile``, export or tracing they are torch's own. Measured in docs/performance.md. The last convolution of a
network is here for its precision, not its speed.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from .hardware import has_avx512

__all__ = ["Conv3x3", "FullPrecisionConv1x1", "MaxPool2x2", "Upsample2x2", "torch_operators"]

_MIN_CHANNELS = 32  # with fewer, and for smaller images, Winograd's algorithm spends more than it saves
_MIN_SIZE = 64
_own = {"enabled": True}


@contextmanager
def torch_operators() -> Iterator[None]:
    """Within it everything is computed by torch's own operators, to compare."""
    _own["enabled"] = False
    try:
        yield
    finally:
        _own["enabled"] = True


class Conv3x3(nn.Conv2d):
    """3x3 convolution that keeps the size; by Winograd's algorithm (Lavin and Gray, CVPR 2016) where that is faster.

    It is NNPACK's, which torch carries for x86 and ARM: several times fewer multiplications, results within rounding
    (1e-5 of the largest value).

    Args:
        in_channels: of the input.
        out_channels: of the output.
        bias: whether a bias is added.
    """

    def __init__(self, in_channels: int, out_channels: int, bias: bool = True) -> None:
        super().__init__(in_channels, out_channels, 3, padding=1, bias=bias)

    def forward(self, input: Tensor) -> Tensor:  # noqa: A002 - as nn.Conv2d has it
        """``(b, in_channels, h, w)`` to ``(b, out_channels, h, w)``."""
        if not torch.jit.is_scripting():
            if _by_own_operators(input) and _suits_winograd(input, self.weight):
                return _WinogradConvolution.apply(input, self.weight, self.bias)
        return self._conv_forward(input, self.weight, self.bias)


class FullPrecisionConv1x1(nn.Conv2d):
    """1x1 convolution that leaves mixed precision: what a network returns is not rounded to bfloat16's eight bits.

    It halves what bfloat16 costs (docs/performance.md).

    Args:
        in_channels: of the input.
        out_channels: of the output.
    """

    def __init__(self, in_channels: int, out_channels: int) -> None:
        super().__init__(in_channels, out_channels, 1)

    def forward(self, input: Tensor) -> Tensor:  # noqa: A002 - as nn.Conv2d has it
        """``(b, in_channels, h, w)``, of half precision under autocast, to ``(b, out_channels, h, w)`` in float32."""
        if not torch.jit.is_scripting():
            if input.dtype != self.weight.dtype:
                with torch.autocast(input.device.type, enabled=False):
                    return self._conv_forward(input.to(self.weight.dtype), self.weight, self.bias)
        return self._conv_forward(input, self.weight, self.bias)


class MaxPool2x2(nn.Module):
    """The largest of each 2x2 voxels, as ``nn.MaxPool2d(2)``.

    Where two voxels are equal the gradient is shared between them, not given to the first. After a ReLU, where equal
    voxels are zeros, that changes nothing.
    """

    def forward(self, features: Tensor) -> Tensor:
        """``(b, c, h, w)``, height and width even, to ``(b, c, h / 2, w / 2)``."""
        if not torch.jit.is_scripting():
            if _by_own_operators(features):
                rows = torch.maximum(features[..., ::2, :], features[..., 1::2, :])
                return torch.maximum(rows[..., ::2], rows[..., 1::2])
        return F.max_pool2d(features, 2)


class Upsample2x2(nn.ConvTranspose2d):
    """4x4 transposed convolution of stride 2; without gradients channels last inside, where its gradients are slower.

    Args:
        channels: of input and output.
    """

    def __init__(self, channels: int) -> None:
        super().__init__(channels, channels, 4, stride=2, padding=1)

    def forward(self, input: Tensor) -> Tensor:  # noqa: A002 - as nn.ConvTranspose2d has it
        """``(b, c, h, w)`` to ``(b, c, 2h, 2w)``."""
        if not torch.jit.is_scripting():
            if not torch.is_grad_enabled() and _by_own_operators(input):
                layout = torch.channels_last
                features, weight = (values.contiguous(memory_format=layout) for values in (input, self.weight))
                return F.conv_transpose2d(features, weight, self.bias, 2, 1).contiguous()
        return F.conv_transpose2d(input, self.weight, self.bias, 2, 1)


class _WinogradConvolution(torch.autograd.Function):
    """The gradient for the input is again such a convolution; that for the weights is torch's own."""

    @staticmethod
    def forward(ctx: Any, features: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
        """``(b, c, h, w)``, ``(o, c, 3, 3)`` and ``(o,)`` to ``(b, o, h, w)``."""
        ctx.save_for_backward(features, weight)
        ctx.with_bias = bias is not None
        return _winograd(features, weight, bias)

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor | None, Tensor | None, Tensor | None]:
        """The gradient of the output to those of features, weight and bias; None where none is asked for."""
        features, weight = ctx.saved_tensors
        gradient = gradient.contiguous()
        for_features, for_weight, for_bias = ctx.needs_input_grad
        features_gradient = weight_gradient = bias_gradient = None
        if for_features:
            features_gradient = _winograd(gradient, weight.transpose(0, 1).flip(-2, -1).contiguous(), None)
        if for_weight or for_bias:
            _, weight_gradient, bias_gradient = torch.ops.aten.convolution_backward(
                gradient,
                features,
                weight,
                [weight.shape[0]] if ctx.with_bias else None,
                [1, 1],
                [1, 1],
                [1, 1],
                False,
                [0, 0],
                1,
                [False, for_weight, for_bias],
            )
        return features_gradient, weight_gradient, bias_gradient


def _winograd(features: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
    """Slice by slice: NNPACK's way for batches is slower."""
    outputs = [torch._nnpack_spatial_convolution(one, weight, bias, [1, 1], [1, 1]) for one in features.split(1)]
    return outputs[0] if len(outputs) == 1 else torch.cat(outputs)


def _by_own_operators(features: Tensor) -> bool:
    """Whether this is eager computation in float32 on a CPU without AVX-512, channels first."""
    return (
        _own["enabled"]
        and features.device.type == "cpu"
        and not has_avx512()
        and features.dtype == torch.float32
        and features.is_contiguous()
        and not torch.is_autocast_enabled("cpu")
        and not torch.compiler.is_compiling()
        and not torch.jit.is_tracing()
    )


def _suits_winograd(features: Tensor, weight: Tensor) -> bool:
    large = min(weight.shape[:2]) >= _MIN_CHANNELS and min(features.shape[-2:]) >= _MIN_SIZE
    return large and weight.dtype == torch.float32 and _has_winograd()


@cache
def _has_winograd() -> bool:
    """Whether NNPACK is built in and knows this processor; asking also makes it ready."""
    return torch.backends.nnpack.is_available()
