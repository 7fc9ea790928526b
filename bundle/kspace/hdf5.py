"""What is read of HDF5 files."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from .libraries import library

__all__ = ["array_of", "open_hdf5", "text_of"]


def open_hdf5(path: Path) -> Any:
    """An ``h5py.File`` for reading."""
    return library("h5py").File(path, "r")


def array_of(file: Any, name: str) -> np.ndarray | None:
    """A data set as an array; None where the file has none of that name."""
    found = file.get(name)
    return None if found is None or not hasattr(found, "shape") else np.asarray(found[()])


def text_of(value: Any) -> str:
    """Text, which files hold as bytes, as str, or as an array of one of them."""
    value = np.asarray(value).ravel()[0] if np.size(value) else ""
    return value.decode("utf-8", "replace") if isinstance(value, bytes) else str(value)
