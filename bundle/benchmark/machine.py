"""The machine's own limits, measured in the same run, and what the network asks of it."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import nn
from torch.utils.flop_counter import FlopCounterMode

from ..compute import mixes_precision
from .timing import take_turns

__all__ = ["Limits", "forward_flop", "measure_limits"]

_MATRIX = {"cpu": 2048, "cuda": 8192}  # rows and columns of the product
_COPIED = {"cpu": 2**26, "cuda": 2**30}  # bytes


@dataclass(frozen=True)
class Limits:
    """What a large matrix product and a large copy reach.

    Attributes:
        flop_per_second: of a float32 matrix product, as torch is set.
        half_flop_per_second: of one in bfloat16; None where nothing computes in it by default.
        bytes_per_second: read and written by a copy.
    """

    flop_per_second: float
    half_flop_per_second: float | None
    bytes_per_second: float


def measure_limits(device: str, repeats: int) -> Limits:
    """Time a product and a copy large enough to fill the device."""
    kind = torch.device(device).type
    size = _MATRIX[kind]
    factors = {torch.float32: torch.randn(size, size, device=device)}
    if mixes_precision(True, device):
        factors[torch.bfloat16] = factors[torch.float32].bfloat16()
    source = torch.zeros(_COPIED[kind], dtype=torch.uint8, device=device)
    target = torch.empty_like(source)
    tasks = {str(dtype): (lambda matrix=matrix: matrix @ matrix) for dtype, matrix in factors.items()}
    timings = take_turns(tasks | {"copy": lambda: target.copy_(source)}, repeats, device, warmup=2)
    rates = {dtype: 2 * size**3 / timings[str(dtype)].median for dtype in factors}
    return Limits(
        flop_per_second=rates[torch.float32],
        half_flop_per_second=rates.get(torch.bfloat16),
        bytes_per_second=2 * source.numel() / timings["copy"].median,
    )


def forward_flop(network: nn.Module, size: int) -> int:
    """Floating-point operations of one slice's reconstruction: a product and a sum count as two (no FFT, no norm)."""
    on_paper = network.to("meta").eval()  # shapes only: nothing is computed
    with torch.no_grad(), FlopCounterMode(display=False) as counter:
        on_paper(torch.empty(1, 4, size, size, device="meta"))
    return counter.get_total_flops()
