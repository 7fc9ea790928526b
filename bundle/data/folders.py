"""The folders below one: each entered once, also through links."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path

__all__ = ["folders_below"]


def folders_below(
    root: Path, refused: Callable[[OSError], object] | None = None
) -> Iterator[tuple[Path, list[str], list[str]]]:
    """As ``os.walk``, by name, without what is hidden: a folder, those in it, and its files.

    Args:
        root: where to begin.
        refused: called with the error of each folder that cannot be entered; None: these are passed over.
    """
    entered = set()
    for folder, folders, names in os.walk(root, followlinks=True, onerror=refused):
        if (real := os.path.realpath(folder)) in entered:  # a link back up would never end
            folders.clear()
            continue
        entered.add(real)
        folders[:] = _visible(folders)
        yield Path(folder), folders, _visible(names)


def _visible(names: list[str]) -> list[str]:
    return sorted(name for name in names if not name.startswith("."))
