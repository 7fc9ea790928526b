"""The benchmark's figures as Markdown tables and as JSON."""

from __future__ import annotations

import platform
import shlex
from collections.abc import Mapping, Sequence
from importlib.metadata import version
from typing import Any

import torch

from ..compute import describe_device
from ..table_formats import aligned
from .machine import Limits
from .timing import Timing, ratio

__all__ = ["contest_record", "contest_table", "header", "markdown", "timing_record"]

_LIBRARIES = ("torch", "monai", "numpy")


def header(device: str, limits: Limits, arguments: Sequence[str]) -> dict[str, Any]:
    """What the figures hold for: command, device, versions and the machine's limits."""
    return {
        "command": f"python -m bundle benchmark {shlex.join(arguments)}".rstrip(),
        "device": describe_device(device),
        "versions": {"python": platform.python_version()} | {name: version(name) for name in _LIBRARIES},
        "gflop_per_second": limits.flop_per_second / 1e9,
        "bfloat16_gflop_per_second": limits.half_flop_per_second and limits.half_flop_per_second / 1e9,
        "gigabyte_per_second": limits.bytes_per_second / 1e9,
        "threads": torch.get_num_threads(),
    }


def timing_record(timing: Timing) -> dict[str, Any]:
    """Median and quartiles, and all rounds."""
    return {"median": timing.median, "quartiles": list(timing.spread), "rounds": list(timing.seconds)}


def contest_record(
    timings: Mapping[str, Timing], slices: int, memory: Mapping[str, int | None], flop: int, rates: Mapping[str, float]
) -> list[dict[str, Any]]:
    """One row a contestant; the first is what the others are compared with.

    Args:
        timings: of a round, by contestant.
        slices: that a round computes.
        memory: bytes needed at most, by contestant.
        flop: floating-point operations of a round.
        rates: of a matrix product in the precision that it computes in, per second, by contestant.
    """
    reference = next(iter(timings))
    rows = []
    for name, timing in timings.items():
        rows.append(
            {
                "contestant": name,
                "seconds_per_slice": timing_record(Timing(tuple(value / slices for value in timing.seconds))),
                "ratio": timing_record(ratio(timing, timings[reference])),
                "share_of_matrix_rate": flop / timing.median / rates[name],
                "peak_memory_bytes": memory.get(name),
            }
        )
    return rows


def contest_table(rows: Sequence[Mapping[str, Any]]) -> str:
    """Rows of :func:`contest_record` as Markdown."""
    cells = []
    for row in rows:
        seconds, against = row["seconds_per_slice"], row["ratio"]
        memory = row["peak_memory_bytes"]
        cells.append(
            [
                row["contestant"],
                f"{seconds['median']:.4g} ({seconds['quartiles'][0]:.4g}-{seconds['quartiles'][1]:.4g})",
                f"{1 / seconds['median']:.3g}",
                f"{against['median']:.2f} ({against['quartiles'][0]:.2f}-{against['quartiles'][1]:.2f})",
                "" if memory is None else f"{memory / 2**30:.2f}",
                f"{100 * row['share_of_matrix_rate']:.0f} %",
            ]
        )
    head = ["", "seconds a slice", "slices/s", "time ratio", "peak memory [GiB]", "of the matrix rate"]
    return markdown(head, cells)


def markdown(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A table below its head."""
    return aligned([head, ["---"] * len(head), *rows])
