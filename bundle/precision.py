"""How the network computes: mixed precision, where and in which type; the layout of its features in memory.

The FFTs stay in float32 (:mod:`bundle.fourier`).
"""

from __future__ import annotations

import torch

from .flags import flag

__all__ = ["amp_dtype", "memory_format", "use_amp"]


def use_amp(amp: bool, device: torch.device | str) -> bool:
    """Whether to compute in mixed precision: where asked for, and on a CUDA device (MONAI's engines know no other)."""
    return flag("amp", amp) and torch.device(device).type == "cuda"


def amp_dtype(device: torch.device | str) -> torch.dtype:
    """bfloat16 where the device computes in it, else float16 (of which k-space's centre needs the scaled gradients)."""
    if torch.device(device).type == "cuda" and not torch.cuda.is_bf16_supported():
        return torch.float16
    return torch.bfloat16


def memory_format(channels_last: bool) -> torch.memory_format:
    """The layout of the network's weights, which that of its features follows; results differ by rounding alone."""
    return torch.channels_last if flag("channels_last", channels_last) else torch.contiguous_format
