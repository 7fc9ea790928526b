"""All pairs examined, several at a time; one whose process dies takes no other with it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from ..console import progress_bar
from ..data.datalist import volume_name
from ..data.workers import results
from .examination import examine

__all__ = ["examine_all"]

_DEAD = "the process that examined it was killed, perhaps for want of memory; run again with fewer --workers"


def examine_all(
    items: Sequence[Mapping[str, str]], workers: int = 1, cache_dir: Path | None = None
) -> list[dict[str, Any]]:
    """What :func:`bundle.quality.examine` returns of each pair, in the order in which they end; with a bar."""
    calls = {str(number): (dict(item), cache_dir) for number, item in enumerate(items)}
    found = progress_bar(results(examine, calls, min(workers, len(items))), total=len(items), desc="Examining pairs")
    dead = {number: {**item, "name": volume_name(item), "failed": _DEAD} for number, (item, _) in calls.items()}
    return [record or dead[number] for number, record in found]
