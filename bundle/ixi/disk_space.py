"""Whether a disk has room for what is about to be written, asked before anything is."""

from __future__ import annotations

import shutil
from pathlib import Path

from ..errors import BundleError

__all__ = ["check_room", "gigabytes"]


def check_room(folder: Path, needed: int, what: str) -> str:
    """How much a folder's disk has to take and has free, as a sentence.

    Args:
        folder: may be missing.
        needed: bytes.
        what: is to be written there, as the sentence begins.

    Raises:
        BundleError: it does not fit.
    """
    there = next(part for part in (folder, *folder.absolute().parents) if part.exists())
    free = shutil.disk_usage(there).free
    told = f"{what} {gigabytes(needed)} in {folder}, where {gigabytes(free)} are free"
    if needed > free:
        raise BundleError(f"{told}; make room or name another folder.")
    return told


def gigabytes(size: float) -> str:
    """A number of bytes for people: ``4.51 GB``, below 1 GB ``12.3 MB``."""
    return f"{size / 1e9:.2f} GB" if size >= 1e9 else f"{size / 1e6:.1f} MB"
