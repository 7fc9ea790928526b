"""Raw k-space of scanners: read to one record, coils combined, told what was found."""

from __future__ import annotations

from .reading import is_raw, read_kspace
from .scan import RawScan

__all__ = ["RawScan", "is_raw", "read_kspace"]
