"""Which files hold the same image, whatever their names: by length, then by checksum, then by all their bytes.

A ``.nii.gz`` ends with the checksum and the length of what is packed in it, so eight bytes tell a copy packed anew.
Below 4 kB there is no scan of a person: such images, of examples and tests, may be equal, and only links are followed.
"""

from __future__ import annotations

import gzip
import hashlib
import os
import zlib
from collections import defaultdict
from collections.abc import Callable, Collection, Hashable, Iterator
from pathlib import Path

from ..errors import BundleError
from .splits import Datalist

__all__ = ["check_lists", "same_images"]

_SMALLEST_SCAN = 4096  # bytes, unpacked
_SAMPLE = 1 << 16  # bytes from the middle of a file


def same_images(files: Collection[str]) -> dict[str, str]:
    """Each file, with the first of those that hold the same image: itself where there is no other.

    Args:
        files: paths of NIfTI files that can be read.
    """
    real = {file: os.path.realpath(file) for file in files}
    first: dict[str, str] = {}
    scans = [file for file in dict.fromkeys(real.values()) if _length(file) >= _SMALLEST_SCAN]
    for group in _alike(scans, _length):
        packed = any(file.lower().endswith(".gz") for file in group)
        for candidates in _alike(group, lambda file, whole=packed: _checksum(file, whole)):  # type: ignore[misc]
            for equal in _alike(candidates, _digest):
                first.update(dict.fromkeys(equal, equal[0]))
    named = {path: file for file, path in reversed(real.items())}  # the name under which a file was first given
    return {file: named[first.get(path, path)] for file, path in real.items()}


def check_lists(datalist: Datalist, path: Path) -> None:
    """Refuse a datalist in which an image has two places.

    Raises:
        BundleError: one image, by its content, is both T1 and T2 of an item, or stands in two lists.
    """
    same = same_images([item[key] for items in datalist.values() for item in items for key in ("t1", "t2")])
    place: dict[str, tuple[str, str]] = {}
    for name, items in datalist.items():
        for item in items:
            if same[item["t1"]] == same[item["t2"]]:
                raise BundleError(f"{path} has the same image as T1 and T2 of {item['subject']!r}: {item['t2']}.")
            for file in (item["t1"], item["t2"]):
                other = place.setdefault(same[file], (name, file))
                if other[0] != name:
                    raise BundleError(
                        f"{path} has one image in two lists: {other[1]} in {other[0]!r} and {file} in {name!r}; "
                        f"keep a person in one list."
                    )


def _alike(files: list[str], key: Callable[[str], Hashable]) -> Iterator[list[str]]:
    """Groups of at least two files with one key, each in the order given."""
    groups: dict[Hashable, list[str]] = defaultdict(list)
    for file in files:
        groups[key(file)].append(file)
    return (group for group in groups.values() if len(group) > 1)


def _length(file: str) -> int:
    """Of what is in it, modulo 2**32."""
    return int.from_bytes(_tail(file)[4:], "little") if file.lower().endswith(".gz") else os.path.getsize(file) % 2**32


def _checksum(file: str, whole: bool) -> int:
    """CRC-32 of what is in it; of a sample from its middle where no packed file is to be compared with."""
    if file.lower().endswith(".gz"):
        return int.from_bytes(_tail(file)[:4], "little")
    with open(file, "rb") as opened:
        if not whole:
            opened.seek(max(0, os.path.getsize(file) // 2 - _SAMPLE // 2))
            return zlib.crc32(opened.read(_SAMPLE))
        checksum = 0
        while block := opened.read(1 << 20):
            checksum = zlib.crc32(block, checksum)
        return checksum


def _tail(file: str) -> bytes:
    with open(file, "rb") as opened:
        opened.seek(-min(8, os.path.getsize(file)), os.SEEK_END)
        return opened.read()


def _digest(file: str) -> bytes:
    """SHA-256 of what is in it; of the packed bytes, and so like no other, where they are damaged."""
    try:
        with gzip.open(file) if file.lower().endswith(".gz") else open(file, "rb") as opened:
            return hashlib.file_digest(opened, "sha256").digest()  # type: ignore[arg-type]
    except (OSError, EOFError, zlib.error):
        return hashlib.sha256(Path(file).read_bytes()).digest()
