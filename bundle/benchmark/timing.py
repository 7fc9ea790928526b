"""Contestants timed in turn, in one process, so that a machine that slows down slows all of them."""

from __future__ import annotations

import gc
import os
import resource
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch

from ..compute.memory import give_back_free_memory

__all__ = ["Timing", "peak_memory", "ratio", "take_turns"]

Task = Callable[[], object]


@dataclass(frozen=True)
class Timing:
    """Seconds of each round."""

    seconds: tuple[float, ...]

    @property
    def median(self) -> float:
        """Half of the rounds took longer."""
        return float(np.median(self.seconds))

    @property
    def spread(self) -> tuple[float, float]:
        """First and third quartile."""
        low, high = np.percentile(self.seconds, [25, 75])
        return float(low), float(high)


def take_turns(tasks: Mapping[str, Task], repeats: int, device: str = "cpu", warmup: int = 1) -> dict[str, Timing]:
    """Time each task ``repeats`` times: all of them once a round, each round beginning with another one.

    Args:
        tasks: by name.
        repeats: rounds that count.
        device: waited for before the clock is read.
        warmup: rounds before those.
    """
    names = list(tasks)
    seconds: dict[str, list[float]] = {name: [] for name in names}
    for turn in range(warmup + repeats):
        first = turn % len(names)
        for name in names[first:] + names[:first]:
            elapsed = _clock(tasks[name], device)
            if turn >= warmup:
                seconds[name].append(elapsed)
    return {name: Timing(tuple(values)) for name, values in seconds.items()}


def ratio(timing: Timing, reference: Timing) -> Timing:
    """Time over that of the reference, round by round: below 1 is faster."""
    return Timing(tuple(a / b for a, b in zip(timing.seconds, reference.seconds)))


def peak_memory(task: Task, device: str = "cpu") -> int | None:
    """Bytes that a task needs at most beyond what is held before it; None where the system does not tell.

    On a CPU by the process's largest resident set (Linux), after the allocator gave back what it kept.
    """
    gc.collect()
    if torch.device(device).type == "cuda":
        torch.cuda.synchronize(device)
        before = torch.cuda.memory_allocated(device)
        torch.cuda.reset_peak_memory_stats(device)
        task()
        torch.cuda.synchronize(device)
        return torch.cuda.max_memory_allocated(device) - before
    reset = Path("/proc/self/clear_refs")
    if not os.access(reset, os.W_OK):
        return None
    give_back_free_memory()
    reset.write_text("5")  # the largest resident set is counted anew
    before = _resident()
    task()
    return max(_resident("VmHWM") - before, 0)


def _clock(task: Task, device: str) -> float:
    _wait(device)
    start = time.perf_counter()
    task()
    _wait(device)
    return time.perf_counter() - start


def _wait(device: str) -> None:
    if torch.device(device).type == "cuda":
        torch.cuda.synchronize(device)


def _resident(field: str = "VmRSS") -> int:
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith(f"{field}:"):
            return int(line.split()[1]) * 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
