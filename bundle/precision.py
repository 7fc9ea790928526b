"""How the network computes: device, layout of its features in memory, compiled or not, mixed precision.

The FFTs stay in float32 (:mod:`bundle.fourier`). What each knob gains or costs: docs/performance.md.
"""

from __future__ import annotations

import torch
from torch import nn

from .flags import flag, plain
from .memory import keep_freed_memory

__all__ = ["amp_dtype", "memory_format", "place", "use_amp"]

_WIDE = 32  # features from which on a CPU is faster with channels first


def place(
    network: nn.Module,
    device: torch.device | str,
    channels: int | None = None,
    channels_last: bool | None = None,
    compile: bool = False,  # noqa: A002 - the knob's name
) -> nn.Module:
    """Move a network to its device and set how it computes; its weights and their names stay what they are.

    On a CPU the process keeps freed memory from then on (:func:`bundle.memory.keep_freed_memory`).

    Args:
        network: moved in place.
        device: where to.
        channels: its number of features.
        channels_last: see :func:`memory_format`.
        compile: whether ``torch.compile`` makes one program of it, at its first use (minutes on a CPU, which also needs
            a C++ compiler).
    """
    if torch.device(device).type == "cpu":
        keep_freed_memory()
    network.to(device=device, memory_format=memory_format(channels_last, device, channels))
    if flag("compile", compile):
        network.compile()
    return network


def memory_format(
    channels_last: bool | None, device: torch.device | str, channels: int | None = None
) -> torch.memory_format:
    """The layout of the network's weights, which that of its features follows; results differ by rounding alone.

    Args:
        channels_last: whether a voxel's features stand side by side; None chooses the faster: yes on a GPU, and on a
            CPU for fewer than 32 features.
        device: where the network computes.
        channels: its number of features; None for a network without any.
    """
    channels_last = plain(channels_last)
    if channels_last is None:
        channels_last = torch.device(device).type != "cpu" or (channels or 0) < _WIDE
    return torch.channels_last if flag("channels_last", channels_last) else torch.contiguous_format


def use_amp(amp: bool, device: torch.device | str) -> bool:
    """Whether to compute in mixed precision: where asked for, and on a CUDA device (MONAI's engines know no other)."""
    return flag("amp", amp) and torch.device(device).type == "cuda"


def amp_dtype(device: torch.device | str) -> torch.dtype:
    """bfloat16 where the device computes in it, else float16 (of which k-space's centre needs the scaled gradients)."""
    if torch.device(device).type == "cuda" and not torch.cuda.is_bf16_supported():
        return torch.float16
    return torch.bfloat16
