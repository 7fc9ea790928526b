"""Where and how a finished network computes: device, memory layout, precision, conversions, memory."""

from __future__ import annotations

from .hardware import describe_device, has_amx, has_avx512
from .placement import memory_format, place
from .precision import MixedPrecisionInferer, mixes_precision

__all__ = [
    "MixedPrecisionInferer",
    "describe_device",
    "has_amx",
    "has_avx512",
    "memory_format",
    "mixes_precision",
    "place",
]
