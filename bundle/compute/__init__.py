"""Where and how a finished network computes: device, memory layout, precision, conversions, memory, exports."""

from __future__ import annotations

from .exported import is_exported, read_exported
from .hardware import describe_device, has_amx, has_avx512
from .placement import memory_format, place
from .precision import MixedPrecisionInferer, mixes_precision
from .tensorrt import place_in_tensorrt

__all__ = [
    "MixedPrecisionInferer",
    "describe_device",
    "has_amx",
    "has_avx512",
    "is_exported",
    "memory_format",
    "mixes_precision",
    "place",
    "place_in_tensorrt",
    "read_exported",
]
