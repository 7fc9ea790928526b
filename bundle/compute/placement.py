"""How the network computes: device, layout of its features in memory, compiled or not, mixed precision.

Defaults are the faster of what was measured on each kind of processor (:mod:`bundle.compute.hardware`). The FFTs stay
in float32 (:mod:`bundle.fourier`). What each knob gains or costs: docs/performance.md.
"""

from __future__ import annotations

import torch
from torch import nn

from ..settings import flag, plain
from .hardware import has_amx, has_avx512
from .memory import keep_freed_memory

__all__ = ["amp_dtype", "memory_format", "mixes_precision", "place", "use_amp"]

_WIDE = 32  # features from which on a CPU without AVX-512 is faster with channels first


def place(
    network: nn.Module,
    device: torch.device | str,
    channels: int | None = None,
    channels_last: bool | None = None,
    compile: bool = False,  # noqa: A002 - the knob's name
    amp: bool = False,
) -> nn.Module:
    """Move a network to its device and set how it computes; its weights and their names stay what they are.

    On a CPU the process keeps freed memory from then on (:func:`bundle.compute.memory.keep_freed_memory`).

    Args:
        network: moved in place.
        device: where to.
        channels: its number of features.
        channels_last: see :func:`memory_format`.
        compile: whether ``torch.compile`` makes one program of it, at its first use (minutes on a CPU, which also needs
            a C++ compiler).
        amp: whether to compute in mixed precision where that is faster (:func:`mixes_precision`). Here that is seen to
            on a CPU only: on a GPU MONAI's engines do it (:func:`use_amp`).
    """
    kind = torch.device(device).type
    if kind == "cpu":
        keep_freed_memory()
        if mixes_precision(amp, device):
            _autocast_forward(network, kind)
    network.to(device=device, memory_format=memory_format(channels_last, device, channels))
    if flag("compile", compile):
        network.compile()
    return network


def memory_format(
    channels_last: bool | None, device: torch.device | str, channels: int | None = None
) -> torch.memory_format:
    """The layout of the network's weights, which that of its features follows; results differ by rounding alone.

    Args:
        channels_last: whether a voxel's features stand side by side; None chooses the faster: yes on a GPU, on a CPU
            with AVX-512, and on other CPUs for fewer than 32 features.
        device: where the network computes.
        channels: its number of features; None for a network without any.
    """
    channels_last = plain(channels_last)
    if channels_last is None:
        channels_last = torch.device(device).type != "cpu" or has_avx512() or (channels or 0) < _WIDE
    return torch.channels_last if flag("channels_last", channels_last) else torch.contiguous_format


def mixes_precision(amp: bool, device: torch.device | str) -> bool:
    """Whether to compute in mixed precision: where asked for, on a GPU or on a CPU that has AMX.

    Intel's AMX multiplies matrices in bfloat16 five times as fast as the same processor does in float32. On CPUs that
    have bfloat16 without AMX it was not measured.
    """
    return flag("amp", amp) and (torch.device(device).type != "cpu" or has_amx())


def use_amp(amp: bool, device: torch.device | str) -> bool:
    """Whether MONAI's engine is to see to mixed precision: they know a CUDA device's alone; see :func:`place`."""
    return torch.device(device).type == "cuda" and mixes_precision(amp, device)


def amp_dtype(device: torch.device | str) -> torch.dtype:
    """bfloat16 where the device computes in it, else float16 (of which k-space's centre needs the scaled gradients)."""
    if torch.device(device).type == "cuda" and not torch.cuda.is_bf16_supported():
        return torch.float16
    return torch.bfloat16


def _autocast_forward(network: nn.Module, kind: str) -> None:
    """Let the network's own class autocast, so that copies, compilation and DDP all see it; its name stays."""
    plain_class = type(network)

    @torch.autocast(kind, dtype=amp_dtype(kind))
    def forward(self, *args, **kwargs):  # noqa: ANN001, ANN002, ANN003, ANN202 - as the class has it
        return plain_class.forward(self, *args, **kwargs)

    members = {"forward": forward, "__module__": plain_class.__module__, "__doc__": plain_class.__doc__}
    network.__class__ = type(plain_class.__name__, (plain_class,), members)
