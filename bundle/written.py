"""What a run has written, and what it has left of an earlier one, told at its end; and that no other wrote it first."""

from __future__ import annotations

import logging
import os
from collections.abc import Sequence
from pathlib import Path

from .errors import BundleError
from .paths import path_of

__all__ = ["check_still_free", "forget", "holds", "note_claimed", "note_free", "note_written", "tell_written"]

_MOST = 4  # names; what is more, or in a folder, is counted
_written: list[Path] = []
_claimed: list[Path] = []
_free: set[Path] = set()
_logger = logging.getLogger(__name__)


def note_written(path: Path) -> None:
    """Keep in mind that this process has written a file or folder (:func:`bundle.outputs.atomic_path` does so)."""
    path = path.absolute()
    _written.append(path)
    _free.difference_update([path, *path.parents])


def forget() -> None:
    """Begin a run: what an earlier one of this process wrote or claimed, which may have failed, is not its own."""
    for record in (_written, _claimed, _free):
        record.clear()


def holds(path: Path) -> bool:
    """Whether there is a file, or anything in a folder."""
    return any(path.iterdir()) if path.is_dir() else os.path.lexists(path)


def note_free(path: Path, free: bool = True) -> None:
    """Keep in mind that nothing is there yet, and that this process may not replace what another writes meanwhile."""
    (_free.add if free else _free.discard)(path.absolute())


def check_still_free(path: Path) -> None:
    """Refuse a file or folder, or what is in it, that was free when this process claimed it, and is not now.

    Raises:
        BundleError: another run has written it since.
    """
    for claimed in sorted(_free):
        if claimed.is_relative_to(path.absolute()) and holds(claimed):
            raise BundleError(
                f"{claimed} was written by another run since this one began, and is not replaced; give another output."
            )


def note_claimed(path: Path) -> None:
    """Keep in mind that this process may replace a file, or those in a folder, of an earlier run."""
    path = path.absolute()
    _claimed.extend(sorted(filter(Path.is_file, path.rglob("*"))) if path.is_dir() else [path])


def tell_written(output_dir: str | Path) -> None:
    """Log the files that this process has written to a folder since it was last asked; none, no line.

    A second line warns of what it might have replaced but has not: tables and volumes of an earlier run, which the
    new ones do not belong to.
    """
    from ignite.distributed import get_rank  # and torch, which commands that only write files do without

    folder = path_of("output_dir", output_dir).absolute()
    inside = [path for path in dict.fromkeys(_written) if path.is_relative_to(folder)]
    left = [path for path in dict.fromkeys(_claimed) if path.is_relative_to(folder) and not _replaced(path)]
    forget()
    if inside:
        _logger.info("Written to %s: %s", folder, _listed(inside, folder))
    if inside and left and get_rank() == 0:  # of several processes the first writes what all have claimed
        _logger.warning("Left in %s of an earlier run, and not of this one: %s", folder, _listed(left, folder))


def _replaced(claimed: Path) -> bool:
    """Whether a file, or the folder that it stood in, was written anew."""
    return any(claimed.is_relative_to(path) for path in _written)


def _listed(paths: Sequence[Path], folder: Path) -> str:
    """Files in words, by the folders in ``folder`` that they stand in."""
    inside = [path.relative_to(folder) for path in paths]
    groups = {parent: [path for path in inside if path.parent == parent] for parent in _parents(inside)}
    return ", ".join(_in_words(*group) for group in groups.items())


def _parents(paths: Sequence[Path]) -> list[Path]:
    """The folders that files stand in, the nearest first."""
    return sorted({path.parent for path in paths}, key=lambda parent: (len(parent.parts), parent))


def _in_words(parent: Path, paths: Sequence[Path]) -> str:
    if parent.parts and len(paths) > 1:
        return f"{parent} ({len(paths)} files)"
    more = f" and {len(paths) - _MOST} more files" if len(paths) > _MOST else ""
    return ", ".join(map(str, paths[:_MOST])) + more
