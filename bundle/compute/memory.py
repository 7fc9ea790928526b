"""Freed memory kept for the next tensor, on a CPU with the GNU C library; elsewhere these functions do nothing.

A run or a command keeps it until it ends; what is called from another program keeps it meanwhile
(:func:`freed_memory_as_before`).
"""

from __future__ import annotations

import ctypes
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache

__all__ = [
    "freed_memory_as_before",
    "give_back_free_memory",
    "keep_freed_memory",
    "release_freed_memory",
    "share_one_heap",
]

# mallopt(3)
_TRIM_THRESHOLD, _MMAP_THRESHOLD, _MMAP_MAX, _ARENA_MAX = -1, -3, -4, -8
_LARGEST = 2**31 - 1
_state = {"kept": False}  # of the process; the C library does not tell


def keep_freed_memory() -> bool:
    """Take large tensors from the heap, and keep the heap; for the whole process. Returns whether the C library can.

    By default a tensor above 32 MB gets pages of its own, which go back to the system when it is freed, and a heap that
    shrinks does the same: each pass of a network then waits for the system to clear the same pages again.
    """
    _state["kept"] = True
    return _set(_MMAP_MAX, 0) and _set(_TRIM_THRESHOLD, _LARGEST)


def share_one_heap() -> bool:
    """Let threads that come take memory from the heap that is kept, not from pieces of 64 MB of their own."""
    return _set(_ARENA_MAX, 1)


def release_freed_memory() -> bool:
    """Undo it: the thresholds at which the C library's own adjustment ends, and what is free goes back."""
    _state["kept"] = False
    done = _set(_MMAP_MAX, 65536) and _set(_MMAP_THRESHOLD, 2**25) and _set(_TRIM_THRESHOLD, 2**26)
    give_back_free_memory()
    return done


@contextmanager
def freed_memory_as_before() -> Iterator[None]:
    """Release freed memory at the end where it is kept only since the beginning."""
    before = _state["kept"]
    try:
        yield
    finally:
        if _state["kept"] and not before:
            release_freed_memory()


def give_back_free_memory() -> None:
    """Return to the system, once, what the process holds but does not use."""
    trim = getattr(_library(), "malloc_trim", None)
    if trim is not None:
        trim(0)


def _set(parameter: int, value: int) -> bool:
    set_option = getattr(_library(), "mallopt", None)
    return set_option is not None and set_option(parameter, value) == 1


@cache
def _library() -> ctypes.CDLL | None:
    return ctypes.CDLL(None) if sys.platform.startswith("linux") else None
