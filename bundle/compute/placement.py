"""Where and how a network computes: device, memory layout of its features, faster convolutions, compilation.

Defaults are the faster of what was measured on each kind of processor (:mod:`bundle.compute.hardware`). What each
setting gains or costs: docs/performance.md.
"""

from __future__ import annotations

import torch
from torch import nn

from ..errors import BundleError
from ..settings import checked_device, flag, plain
from .exported import is_exported
from .hardware import has_avx512
from .memory import keep_freed_memory
from .precision import keep_heads_in_float32
from .winograd import use_winograd

__all__ = ["memory_format", "place"]

_WIDE = 32  # features from which on a CPU without AVX-512 is faster with channels first


def place(
    network: nn.Module,
    device: torch.device | str,
    channels_last: bool | None = None,
    compile: bool = False,  # noqa: A002 - the setting's name
) -> nn.Module:
    """Move a network to its device and choose how it computes; parameters and their names stay the same.

    On a CPU the process keeps freed memory from then on (:mod:`bundle.compute.memory`). Without AVX-512, channels first
    and with features enough, 3x3 convolutions are computed by Winograd's algorithm.

    Args:
        network: changed in place.
        device: where to.
        channels_last: see :func:`memory_format`.
        compile: whether to compile it with ``torch.compile``, at its first use (minutes on a CPU, which also needs a
            C++ compiler).

    Raises:
        BundleError: this machine has no such device; ``channels_last`` or ``compile`` is neither true nor false; an
            exported network is to be compiled.
    """
    device = checked_device(device)
    layout = memory_format(network, device, channels_last)
    if device.type == "cpu":
        keep_freed_memory()
        if layout is torch.contiguous_format and not has_avx512():
            use_winograd(network)
    keep_heads_in_float32(network)
    network.to(device=device, memory_format=layout)  # type: ignore[call-overload]  # which torch's stubs leave out
    if flag("compile", compile):
        if is_exported(network):
            raise BundleError(
                "An exported network cannot be compiled; leave compile false, or take a checkpoint (.pt)."
            )
        network.compile()
    return network


def memory_format(
    network: nn.Module, device: torch.device | str, channels_last: bool | None = None
) -> torch.memory_format:
    """The layout of the network's weights, which that of its features follows; results differ by rounding alone.

    Args:
        network: its first convolution tells how many features it has.
        device: where it computes.
        channels_last: whether a voxel's features stand side by side; None chooses the faster: yes on a GPU, on a CPU
            with AVX-512, and on other CPUs for fewer than 32 features.
    """
    if plain(channels_last) is None:
        features = next((weight.shape[0] for weight in network.parameters() if weight.ndim == 4), 0)
        channels_last = torch.device(device).type != "cpu" or has_avx512() or features < _WIDE
    return torch.channels_last if flag("channels_last", channels_last) else torch.contiguous_format
