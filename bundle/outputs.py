"""Output files: none overwritten without being asked, none left half written."""

from __future__ import annotations

import atexit
import os
import shutil
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

from .errors import BundleError
from .settings import flag

__all__ = ["atomic_path", "claim_outputs", "scratch_dir"]


def claim_outputs(output_dir: str | Path, names: Sequence[str], overwrite: bool = False, resume: bool = False) -> None:
    """Make the output folder, and refuse to go on where a run's results would replace earlier ones.

    Args:
        output_dir: folder of a run's outputs.
        names: files or folders in it that the run is going to write.
        overwrite: whether they may be replaced.
        resume: whether the run goes on with them.

    Raises:
        BundleError: the folder cannot be written, or holds one of ``names``.
    """
    folder = Path(str(output_dir))
    try:
        folder.mkdir(parents=True, exist_ok=True)
        probe = folder / f".writable-{os.getpid()}"
        probe.touch()
        probe.unlink()
    except OSError as error:
        raise BundleError(
            f"The output folder {folder} cannot be written ({error.strerror}); give another output_dir."
        ) from error
    existing = [name for name in names if (folder / name).exists()]
    if existing and not (flag("overwrite", overwrite) or flag("resume", resume)):
        raise BundleError(
            f"{folder} already holds {', '.join(existing)}; give another output_dir, or allow replacing with "
            "--overwrite true."
        )


@contextmanager
def atomic_path(path: str | Path) -> Iterator[Path]:
    """A temporary path beside ``path`` to write to, moved onto ``path`` at the end, or removed where that fails.

    Raises:
        BundleError: the file cannot be written.
    """
    path = Path(path)
    temporary = path.with_name(f".{path.stem}.{os.getpid()}{path.suffix}")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        yield temporary
        os.replace(temporary, path)
    except OSError as error:
        raise BundleError(f"Cannot write {path}: {error.strerror or error}; choose another folder.") from error
    finally:
        with suppress(OSError):  # not there: moved, or never made
            temporary.unlink()


def scratch_dir() -> str:
    """A new empty folder that is removed when the program ends."""
    folder = tempfile.mkdtemp(prefix="manet-")
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    return folder
