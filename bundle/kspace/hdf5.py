"""HDF5 files, opened and read with their mistakes as sentences."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np

from ..errors import BundleError
from .libraries import library

__all__ = ["array_of", "open_hdf5", "text_of"]


@contextmanager
def open_hdf5(path: Path) -> Iterator[Any]:
    """An ``h5py.File`` for reading.

    Raises:
        BundleError: the file is no HDF5 or damaged, also where that shows while it is read.
    """
    h5py = library("h5py")
    try:
        with h5py.File(path, "r") as file:
            yield file
    except (OSError, RuntimeError, KeyError) as error:  # what h5py raises for damage, by where it is
        raise BundleError(f"{path} cannot be read as HDF5: it is cut short, damaged or no such file.") from error
    except MemoryError as error:
        raise BundleError(f"The k-space of {path} does not fit into this machine's memory.") from error


def array_of(file: Any, name: str) -> np.ndarray | None:
    """A data set as an array; None where the file has none of that name."""
    found = file.get(name)
    return None if found is None or not hasattr(found, "shape") else np.asarray(found[()])


def text_of(value: Any) -> str:
    """Text, which files hold as bytes, as str, or as an array of one of them."""
    value = np.asarray(value).ravel()[0] if np.size(value) else ""
    return value.decode("utf-8", "replace") if isinstance(value, bytes) else str(value)
