"""What a run has written, told at its end."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from pathlib import Path

from .paths import path_of

__all__ = ["note_written", "tell_written"]

_MOST = 4  # names; what is more, or in a folder, is counted
_written: list[Path] = []
_logger = logging.getLogger(__name__)


def note_written(path: Path) -> None:
    """Keep in mind that this process has written a file or folder (:func:`bundle.outputs.atomic_path` does so)."""
    _written.append(path.absolute())


def tell_written(output_dir: str | Path) -> None:
    """Log, in one line, the files that this process has written to a folder since it was last asked; none, no line."""
    folder = path_of("output_dir", output_dir).absolute()
    inside = [path.relative_to(folder) for path in dict.fromkeys(_written) if path.is_relative_to(folder)]
    _written.clear()
    if inside:
        groups = {parent: [path for path in inside if path.parent == parent] for parent in _parents(inside)}
        _logger.info("Written to %s: %s", folder, ", ".join(_in_words(*group) for group in groups.items()))


def _parents(paths: Sequence[Path]) -> list[Path]:
    """The folders that files stand in, the nearest first."""
    return sorted({path.parent for path in paths}, key=lambda parent: (len(parent.parts), parent))


def _in_words(parent: Path, paths: Sequence[Path]) -> str:
    if parent.parts and len(paths) > 1:
        return f"{parent} ({len(paths)} files)"
    more = f" and {len(paths) - _MOST} more files" if len(paths) > _MOST else ""
    return ", ".join(map(str, paths[:_MOST])) + more
