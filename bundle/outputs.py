"""Output files: none overwritten without being asked, none left half written."""

from __future__ import annotations

import atexit
import errno
import os
import secrets
import shutil
import signal
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from types import FrameType

from .errors import BundleError
from .paths import path_of
from .settings import flag
from .written import check_still_free, forget, holds, note_claimed, note_free, note_written

__all__ = [
    "atomic_folder",
    "atomic_path",
    "begin_run",
    "cannot_write",
    "check_writable",
    "claim_file",
    "claim_outputs",
    "scratch_dir",
    "write_text",
    "write_whole",
]

_LONGEST_NAME = 255  # bytes, where the file system does not say
_FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
_SIGNALS = ("SIGTERM", "SIGHUP")  # SIGINT is Python's KeyboardInterrupt already


def claim_outputs(
    output_dir: str | Path,
    names: Sequence[str],
    overwrite: bool = False,
    resume: bool = False,
    items: Sequence[Mapping[str, str]] = (),
) -> None:
    """Refuse to go on where a run's results could not be written, or would replace earlier ones. Makes no folder.

    Args:
        output_dir: folder of a run's outputs.
        names: files or folders in it that the run is going to write.
        overwrite: whether they may be replaced.
        resume: whether the run goes on with them.
        items: of a datalist, whose files ``t1`` and ``t2`` are never replaced.

    Raises:
        BundleError: the folder cannot be written, holds one of ``names``, or two of them are equal or one too long;
            one is an input.
    """
    folder = path_of("output_dir", output_dir)
    check_writable(folder, "The output folder", "another output_dir")
    _check_names(folder, names)
    existing = [name for name in names if holds(folder / name)]
    replacing = flag("overwrite", overwrite) or flag("resume", resume)
    if existing and not replacing:
        raise BundleError(
            f"{folder} already holds {', '.join(existing)}; give another output_dir, or allow replacing with "
            "--overwrite true."
        )
    _check_inputs([folder / name for name in existing], items)
    for name in names:
        note_free(folder / name, not replacing)
    for name in existing if not flag("resume", resume) else ():
        note_claimed(folder / name)


def claim_file(path: Path, option: str, overwrite: bool) -> None:
    """:func:`claim_outputs` for a command that writes one file, which ``option`` names on its command line."""
    if os.path.lexists(path) and not overwrite:
        raise BundleError(f"{path} is there already; name another {option}, or allow replacing with --overwrite.")
    claim_outputs(path.parent, [path.name], overwrite)


def check_writable(folder: Path, what: str, instead: str) -> None:
    """Refuse a folder that cannot be written, or made; leaves nothing behind.

    Args:
        folder: may be missing.
        what: its role, to begin the sentence with.
        instead: what to give.

    Raises:
        BundleError: it, or the nearest folder above it that exists, is none or cannot be written.
    """
    try:
        tempfile.TemporaryFile(dir=_nearest(folder)).close()
    except OSError as error:
        raise BundleError(f"{what} {folder} cannot be written ({error.strerror}); give {instead}.") from error


@contextmanager
def atomic_path(path: str | Path) -> Iterator[Path]:
    """A temporary path beside ``path`` to write to, moved onto ``path`` at the end, or removed where that fails.

    Raises:
        BundleError: the file cannot be written; the sentence tells how much space there is.
    """
    path = Path(path)
    temporary = path.with_name(f".{secrets.token_hex(6)}{path.suffix}")  # path's own name may be as long as can be
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        yield temporary
        check_still_free(path)
        os.replace(temporary, path)
        note_written(path)
    except OSError as error:
        with suppress(OSError):
            temporary.unlink()  # first, so that the room which is told is what is left
        raise cannot_write(path, error) from error
    finally:
        with suppress(OSError):  # not there: moved, or never made
            temporary.unlink()


@contextmanager
def atomic_folder(path: str | Path) -> Iterator[Path]:
    """A temporary folder beside ``path`` to fill, moved to ``path`` at the end, or removed where that fails.

    An earlier folder stays until then, and is removed.

    Raises:
        BundleError: the folder or a file in it cannot be written.
    """
    path = Path(path)
    temporary, earlier = (path.with_name(f".{secrets.token_hex(6)}") for _ in range(2))
    try:
        temporary.mkdir(parents=True)
        yield temporary
        check_still_free(path)
        with suppress(FileNotFoundError):
            os.replace(path, earlier)
        os.replace(temporary, path)
        note_written(path)
    except OSError as error:
        shutil.rmtree(temporary, ignore_errors=True)  # first, so that the room which is told is what is left
        raise cannot_write(path, error) from error
    finally:
        if earlier.exists() and not path.exists():
            os.replace(earlier, path)
        for folder in (temporary, earlier):
            shutil.rmtree(folder, ignore_errors=True)


def cannot_write(path: Path, error: OSError) -> BundleError:
    """The sentence for a file that could not be written, with the room that is left, or the file that is in the way."""
    if files := [part for part in path.parents if os.path.isfile(part)]:
        return BundleError(f"Cannot write {path}: {files[0]} is a file, not a folder; choose another folder.")
    space = make_room = ""
    if error.errno in _FULL:
        make_room = "make room or "
        with suppress(OSError):
            space = f" ({shutil.disk_usage(path.parent).free / 1e6:.1f} MB are free in {path.parent})"
    return BundleError(f"Cannot write {path}: {error.strerror or error}{space}; {make_room}choose another folder.")


def write_whole(path: str | Path, content: bytes | memoryview) -> None:
    """Write a file as :func:`atomic_path` does. For what libraries write badly, or refuse in words of their own."""
    with atomic_path(path) as temporary:
        temporary.write_bytes(content)


def write_text(path: str | Path, text: str) -> None:
    """Write a text file in UTF-8 as :func:`atomic_path` does."""
    with atomic_path(path) as temporary:
        temporary.write_text(text, encoding="utf-8")


def begin_run() -> None:
    """Forget what an earlier run of this process wrote, and remove temporary files when told to end. For runs only."""
    forget()
    for number in (getattr(signal, name) for name in _SIGNALS if hasattr(signal, name)):
        if signal.getsignal(number) == signal.SIG_DFL:  # nohup ignores SIGHUP, and that stays so
            signal.signal(number, _exit)


def scratch_dir() -> str:
    """A new empty folder that is removed when the program ends, also by a signal (see :func:`begin_run`)."""
    folder = tempfile.mkdtemp(prefix="manet-")
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    return folder


def _exit(number: int, frame: FrameType | None) -> None:
    sys.exit(128 + number)  # as a shell reports the signal


def _check_inputs(existing: Sequence[Path], items: Sequence[Mapping[str, str]]) -> None:
    for given in (Path(item[key]) for item in items for key in ("t1", "t2") if key in item):
        if same := [path for path in existing if given.exists() and given.samefile(path)]:
            raise BundleError(f"The output {same[0]} would replace {given}, which is read; give another output_dir.")


def _check_names(folder: Path, names: Sequence[str]) -> None:
    if twice := sorted({name for name in names if names.count(name) > 1}):
        raise BundleError(f"Two outputs would be {folder / twice[0]}; give their subjects or files different names.")
    longest = _LONGEST_NAME
    with suppress(OSError, AttributeError):  # Windows does not say
        longest = os.pathconf(_nearest(folder), "PC_NAME_MAX")
    for name in names:
        if len(os.fsencode(name)) > longest:
            raise BundleError(
                f"The output {name} would have a name of {len(os.fsencode(name))} bytes, and {folder} allows "
                f"{longest}; shorten the name of its T2 file or subject."
            )


def _nearest(folder: Path) -> Path:
    """The folder, or the nearest one above it that exists."""
    return next(part for part in (folder, *folder.absolute().parents) if part.exists())
