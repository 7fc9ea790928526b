"""Where and how a finished network computes: device, layout, precision, conversions, memory."""

from __future__ import annotations

from .hardware import describe_device, has_amx, has_avx512
from .placement import amp_dtype, memory_format, mixes_precision, place, use_amp

__all__ = [
    "amp_dtype",
    "describe_device",
    "has_amx",
    "has_avx512",
    "memory_format",
    "mixes_precision",
    "place",
    "use_amp",
]
