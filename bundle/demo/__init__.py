"""Demo data made by code: eight simulated people, each with a T1 and a T2 scan; ``python -m bundle demo``."""

from __future__ import annotations

from .phantom import make_demo_dataset

__all__ = ["make_demo_dataset"]
