"""All pairs examined, several at a time, each process with one thread."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from functools import partial
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import torch

from ..console import progress_bar
from ..errors import BundleError
from .examination import examine

__all__ = ["examine_all", "usable_cores"]


def examine_all(
    items: Sequence[Mapping[str, str]], workers: int = 1, cache_dir: Path | None = None
) -> list[dict[str, Any]]:
    """What :func:`bundle.quality.examine` returns of each pair, in the order in which they end; with a bar.

    Raises:
        BundleError: a process was ended from outside.
    """
    task = partial(examine, cache_dir=cache_dir)
    many = min(workers, len(items))
    records = map(task, items) if many <= 1 else _in_processes(task, items, many)
    return list(progress_bar(records, total=len(items), desc="Examining pairs", unit="pair"))


def usable_cores() -> int:
    """Cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _in_processes(task: partial, items: Sequence[Mapping[str, str]], workers: int) -> Iterator[dict[str, Any]]:
    """Processes of their own, started afresh: a copy of this one would have its threads' locks and not its threads."""
    pool = ProcessPoolExecutor(workers, mp_context=get_context("spawn"), initializer=_one_thread)
    try:
        for future in as_completed([pool.submit(task, dict(item)) for item in items]):
            yield future.result()
    except BrokenProcessPool as error:
        raise BundleError(
            "A process that examined pairs was ended from outside, as for want of memory; ask for fewer --workers, and "
            "for a --cache, from which a second run goes on."
        ) from error
    finally:
        pool.shutdown(cancel_futures=True)


def _one_thread() -> None:
    os.environ["ITK_GLOBAL_DEFAULT_NUMBER_OF_THREADS"] = "1"  # which ITK reads at its first use
    torch.set_num_threads(1)
