"""What a run shows a person: log lines in one format, bars that keep out of their way, on consoles of any encoding.

Runs and commands call :func:`prepare_console`; a program that imports the bundle keeps the console that it has.
"""

from __future__ import annotations

import io
import logging
import os
import sys
from collections.abc import Iterable
from typing import Any

from tqdm import tqdm

__all__ = ["BAR", "end_bars", "prepare_console", "progress_bar"]

# of tqdm: none where no terminal shows it, as wide as the terminal, and gone when it is full
BAR: dict[str, Any] = {"disable": None, "dynamic_ncols": True, "leave": False}


def prepare_console() -> None:
    """Let log lines go around bars, those of other processes than the first be warnings, and no letter end the run."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")
    root = logging.getLogger()
    for handler in list(root.handlers):
        if type(handler) is logging.StreamHandler:
            root.removeHandler(handler)
            root.addHandler(_AroundBars(handler))


def progress_bar(items: Iterable | None = None, **options: Any) -> tqdm:
    """A tqdm bar in the bundle's manner (:data:`BAR`), in the first process only."""
    return tqdm(items, **(BAR | ({} if _first_process() else {"disable": True}) | options))


def end_bars() -> None:
    """Wipe the bars that an error has left, so that what is printed next has a line of its own."""
    for bar in list(getattr(tqdm, "_instances", ())):
        bar.leave = False
        bar.close()


class _AroundBars(logging.StreamHandler):
    """Stands in for another handler, and moves tqdm's bars out of the way while it writes."""

    def __init__(self, original: logging.StreamHandler) -> None:
        super().__init__(original.stream)
        self.setFormatter(original.formatter)
        self.setLevel(original.level if _first_process() else logging.WARNING)

    def emit(self, record: logging.LogRecord) -> None:
        """Write one line."""
        with tqdm.external_write_mode(file=self.stream):
            super().emit(record)


def _first_process() -> bool:
    """Whether this is the first of the processes that torchrun has started, or the only one."""
    return os.environ.get("RANK", "0") == "0"
