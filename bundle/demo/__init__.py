"""Demo data made by code: eight simulated people, each with a T1 and a T2 scan; ``python -m bundle demo``."""

from __future__ import annotations

from .default import make_default_dataset
from .phantom import make_demo_dataset

__all__ = ["make_default_dataset", "make_demo_dataset"]
