"""What the images of a study's dataset are, so that results of other images are not taken for theirs."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

from ..data.datalist import DATALIST_NAME, FILES, listed_items
from ..errors import BundleError

__all__ = ["images_of"]

_SAMPLES, _BYTES = 8, 16384  # of a file, and of a sample: a data set of raw files can have a terabyte


def images_of(folder: str | Path | None) -> str:
    """A checksum of a dataset's list and images, by each one's length and samples of its bytes.

    Where they lie, and when they were written, does not count, so that a copy is the same. A change that leaves the
    length and the samples of a file that is not compressed is not seen.

    Args:
        folder: with ``datalist.json``, or with raw data, ``*.h5``; what is not there yet, or cannot be read, counts as
            nothing, as it is refused when a run reads it. None: the demo data, made by code.
    """
    total = hashlib.sha256()
    for path in [] if folder is None else _files(Path(folder)):
        with suppress(OSError):
            total.update(_samples(path))
    return total.hexdigest()


def _files(folder: Path) -> Iterator[Path]:
    datalist = folder / DATALIST_NAME
    if not datalist.is_file():
        yield from sorted(folder.rglob("*.h5"))
        return
    yield datalist
    with suppress(BundleError):  # of the list, told when it is read
        items = [item for items in listed_items(datalist).values() for item in items]
        for path in (Path(item[key]) for item in items for key in sorted(FILES & item.keys())):
            yield from sorted(filter(Path.is_file, path.rglob("*"))) if path.is_dir() else [path]


def _samples(path: Path) -> bytes:
    """A checksum of a file's length, its beginning, its end (a .gz has its own checksum there) and bytes between."""
    length = path.stat().st_size
    found, last = hashlib.sha256(str(length).encode()), max(0, length - _BYTES)
    with path.open("rb") as file:
        for number in range(_SAMPLES):
            file.seek(last * number // (_SAMPLES - 1))
            found.update(file.read(_BYTES))
    return found.digest()
