"""One pair in the cache: its slices, ``.npy``, and beside them the index, ``.json``, with what else is known of it."""

from __future__ import annotations

import json
import logging
import math
import os
import zlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from ignite.distributed import get_local_rank
from torch import Tensor

from ..outputs import atomic_path, write_text

__all__ = ["foreground_of", "read_entry", "read_slice", "write_entry"]

_logger = logging.getLogger(__name__)


def write_entry(index: Path, prepared: Mapping) -> dict[str, Any]:
    """Slices first, the index last, each named only when whole: an index that exists is a pair that can be read.

    Args:
        index: path of the index, ``.json``.
        prepared: ``t1`` and ``t2``, slices ``(s, h, w)``, ``geometry`` and ``alignment``.

    Returns:
        ``geometry``, ``alignment``, ``foreground`` of each slice, and what tells whether the slices are whole.

    Raises:
        BundleError: a file cannot be written.
    """
    t1, t2 = prepared["t1"].float(), prepared["t2"].float()
    with atomic_path(index.with_suffix(".npy")) as temporary:
        np.save(temporary, torch.stack((t1, t2), dim=1).numpy())
        checksum = _checksum_of_file(temporary)
    description = {
        "geometry": prepared["geometry"].as_dict(),
        "alignment": prepared["alignment"],
        "foreground": foreground_of(t2),
        "checksum_of_slices": checksum,
        "written": _size_and_time(index.with_suffix(".npy")),
    }
    text = json.dumps({"description": description, "checksum": _checksum(description)})
    write_text(index, text)
    return json.loads(text)["description"]


def foreground_of(t2: Tensor) -> list[float]:
    """Of each slice of ``(s, h, w)`` the fraction of voxels above a tenth of the volume's 99th percentile."""
    return (t2 > 0.1 * np.percentile(t2.numpy(), 99)).float().mean(dim=(-2, -1)).tolist()


def read_entry(index: Path) -> dict[str, Any] | None:
    """What :func:`write_entry` returned; None, with a line, where a file is damaged.

    Slices whose size and time are those that they were written with are taken as they are: at 577 subjects a checksum
    of all of them would read 30 GB before each training. Others, such as copied ones, are compared by their checksum,
    which each machine's first process does.
    """
    path = index.with_suffix(".npy")
    try:
        stored = json.loads(index.read_text())
        description = stored["description"]
        sound = stored["checksum"] == _checksum(description)
        if sound and get_local_rank() == 0 and description.get("written") != _size_and_time(path):
            sound = description["checksum_of_slices"] == _checksum_of_file(path)
    except (OSError, ValueError, KeyError, TypeError):
        sound = False
    if sound:
        return description
    _logger.warning("The prepared slices in %s are damaged; the pair is read and aligned anew.", path)
    return None


def read_slice(path: Path, index: int) -> np.ndarray:
    """One slice of an entry, float32 ``(2, h, w)``, in one read.

    From a disk, a mapped file is read far ahead, 3.3 MB for a slice of 0.5 MB; the system is told that none follows.

    Args:
        path: of the slices, ``.npy``.
        index: below the number of slices; from the end where it is negative.
    """
    with path.open("rb", buffering=0) as file:
        if hasattr(os, "posix_fadvise"):
            os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_RANDOM)
        np.lib.format.read_magic(file)
        shape, _, kind = np.lib.format.read_array_header_1_0(file)
        count = math.prod(shape[1:])
        file.seek(range(shape[0])[index] * count * kind.itemsize, 1)
        return np.fromfile(file, kind, count).reshape(shape[1:])


def _size_and_time(path: Path) -> list[int]:
    """Bytes, and when they were written last, in nanoseconds. OSError where there is no file."""
    status = path.stat()
    return [status.st_size, status.st_mtime_ns]


def _checksum(description: Mapping) -> int:
    return zlib.crc32(json.dumps(description).encode())


def _checksum_of_file(path: Path) -> int:
    """CRC-32: it finds damage, at the pace of a disk. OSError or ValueError where there is no file, or an empty one."""
    return zlib.crc32(np.memmap(path, np.uint8, mode="r").data)
