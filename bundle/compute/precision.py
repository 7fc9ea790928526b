"""Mixed precision: bfloat16 where the device multiplies matrices in it, and float32 where rounding would show.

The FFTs (:mod:`bundle.fourier`), each network's last convolution, weights and gradients stay in float32. What it gains
and costs: docs/performance.md.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from monai.inferers import Inferer
from torch import Tensor, nn

from ..settings import flag
from .conversion import convert_modules
from .exported import is_exported
from .hardware import has_amx

__all__ = ["MixedPrecisionInferer", "keep_heads_in_float32", "mixes_precision"]


def mixes_precision(amp: bool, device: torch.device | str) -> bool:
    """Whether to compute in mixed precision: where asked for, on a GPU that computes in bfloat16 or a CPU with AMX.

    Intel's AMX multiplies matrices in bfloat16 five times as fast as the same processor does in float32. Neither CPUs
    with bfloat16 but without AMX nor float16, which older GPUs have instead, were measured: these compute in float32.
    """
    kind = torch.device(device).type
    fast = {"cpu": has_amx, "cuda": lambda: torch.cuda.is_bf16_supported(including_emulation=False)}
    return flag("amp", amp) and kind in fast and fast[kind]()


class MixedPrecisionInferer(Inferer):
    """Calls another inferer in mixed precision where that is faster (:func:`mixes_precision`), else as it is.

    MONAI's engines know mixed precision on CUDA devices only; with this inferer their own ``amp`` stays off. bfloat16
    has float32's range, so that gradients need no scaling. An exported network computes in float32.

    Args:
        inferer: called with network and input.
        amp: whether to compute in mixed precision where the device is faster in it.
        device: where the network computes.

    Attributes:
        mixed: whether precision is mixed, for networks that are no exports.

    Raises:
        BundleError: ``amp`` is neither true nor false.
    """

    def __init__(self, inferer: Inferer, amp: bool, device: torch.device | str) -> None:
        self.inferer = inferer
        self.mixed = mixes_precision(amp, device)
        self._device_type = torch.device(device).type

    def __call__(self, inputs: Tensor, network: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
        """What the other inferer returns."""
        with torch.autocast(self._device_type, dtype=torch.bfloat16, enabled=self.mixes(network)):
            return self.inferer(inputs, network, *args, **kwargs)

    def mixes(self, network: Any) -> bool:
        """Whether this network is computed in mixed precision."""
        return self.mixed and not is_exported(network)


def keep_heads_in_float32(network: nn.Module) -> nn.Module:
    """Let the last convolution of each module named ``head`` leave mixed precision, in place; returns the network.

    What a network returns is then not rounded to bfloat16's eight bits: half of what bfloat16 costs.
    """
    heads = [module for name, module in network.named_modules() if name.rpartition(".")[2] == "head"]
    last = [[part for part in head.modules() if type(part) is nn.Conv2d][-1:] for head in heads]
    convolutions = {id(part) for parts in last for part in parts}
    return convert_modules(network, lambda module: _Float32Conv2d if id(module) in convolutions else None)


class _Float32Conv2d(nn.Conv2d):
    """A convolution in the precision of its weights, also under autocast."""

    def forward(self, input: Tensor) -> Tensor:  # noqa: A002 - as nn.Conv2d has it
        """``(b, in_channels, h, w)``, perhaps of half precision, to ``(b, out_channels, h, w)`` in float32."""
        if torch.jit.is_scripting():
            return self._conv_forward(input, self.weight, self.bias)
        if torch.onnx.is_in_onnx_export():
            return self._conv_forward(input, self.weight, self.bias)
        with torch.autocast(input.device.type, enabled=False):
            return self._conv_forward(input.to(self.weight.dtype), self.weight, self.bias)
