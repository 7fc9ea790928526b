"""Freed memory is kept when asked for, and goes back when that is undone."""

from __future__ import annotations

import resource
import sys
from pathlib import Path

import pytest
import torch

from bundle.compute.memory import freed_memory_as_before, keep_freed_memory, release_freed_memory


def page_faults() -> int:
    """Pages that the system cleared for 20 tensors of 64 MB, made and freed one after the other."""
    before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    for _ in range(20):
        torch.ones(2**24)
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before


def resident() -> int:
    """Bytes that the process holds."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * resource.getpagesize()


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="a setting of the GNU C library")
def test_kept_memory_is_used_again_without_new_pages():
    if not release_freed_memory():
        pytest.skip("this C library has no mallopt")
    try:
        released = page_faults()
        keep_freed_memory()
        page_faults()  # the heap grows once
        assert page_faults() < released / 10
    finally:
        release_freed_memory()


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="a setting of the GNU C library")
@pytest.mark.parametrize("kept", [False, True])
def test_memory_that_is_kept_meanwhile_is_kept_afterwards_only_if_it_was_before(kept):
    if not release_freed_memory():
        pytest.skip("this C library has no mallopt")
    try:
        if kept:
            keep_freed_memory()
        with freed_memory_as_before():
            keep_freed_memory()
            tensors = [torch.ones(2**24) for _ in range(4)]
            del tensors
            inside = resident()
        assert (inside - resident() < 2**27) == kept
    finally:
        release_freed_memory()
