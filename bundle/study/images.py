"""What the images of a study's dataset are, so that results of other images are not taken for theirs."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from contextlib import suppress
from functools import cache
from pathlib import Path

from ..data.datalist import DATALIST_NAME, FILES, listed_items
from ..errors import BundleError

__all__ = ["images_of"]

_SAMPLES, _BYTES = 8, 16384  # of a file, and of a sample: a data set of raw files can have a terabyte


def images_of(folder: str | Path | None) -> str:
    """A checksum of a dataset's list and images, by each one's length and samples of its bytes.

    Where they lie, and when they were written, does not count, so that a copy is the same.

    Args:
        folder: with ``datalist.json``, or with raw data, ``*.h5``; None, or what is not there yet, is no image.
    """
    total, folder = hashlib.sha256(), Path(folder or "nowhere")
    if (datalist := folder / DATALIST_NAME).is_file():
        total.update(datalist.read_bytes())
    with suppress(OSError):  # what cannot be read is refused when it is
        for path in _files(folder, datalist):
            status = path.stat()
            total.update(_samples(path, status.st_size, status.st_mtime_ns))
    return total.hexdigest()


def _files(folder: Path, datalist: Path) -> Iterator[Path]:
    if not datalist.is_file():
        yield from sorted(folder.rglob("*.h5"))
        return
    with suppress(BundleError):  # of the list, told when it is read
        items = [item for items in listed_items(datalist).values() for item in items]
        for path in (Path(item[key]) for item in items for key in sorted(FILES & item.keys())):
            yield from sorted(filter(Path.is_file, path.rglob("*"))) if path.is_dir() else [path]


@cache
def _samples(path: Path, length: int, time: int) -> bytes:
    """A file's length, and bytes from its beginning, its end (a .gz has its checksum there) and between."""
    found = hashlib.sha256(str(length).encode())
    last = max(0, length - _BYTES)
    with path.open("rb") as file:
        for number in range(_SAMPLES):
            file.seek(last * number // (_SAMPLES - 1))
            found.update(file.read(_BYTES))
    return found.digest()
