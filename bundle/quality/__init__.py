"""Whether T1 lies on T2: one page with a picture of every pair, sorted by suspicion; ``python -m bundle quality``."""

from __future__ import annotations

from .examination import examine
from .judgement import judge
from .page import write_page

__all__ = ["examine", "judge", "write_page"]
