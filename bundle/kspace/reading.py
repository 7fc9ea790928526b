"""Any raw k-space file to one record, by what is in it."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path

from ..errors import BundleError
from ..paths import expanded
from .arrays import read_array
from .fastmri import is_fastmri, read_fastmri
from .hdf5 import open_hdf5
from .ismrmrd import is_ismrmrd, read_ismrmrd
from .repetitions import read_repetitions, repetitions_of
from .scan import RawScan

__all__ = ["SUFFIXES", "is_raw", "read_kspace"]

SUFFIXES = (".h5", ".hdf5", ".mrd", ".npy")
# what h5py, numpy and XML's parser raise for damage, by where it is
_DAMAGE = (OSError, RuntimeError, LookupError, ValueError, TypeError, AttributeError, ArithmeticError)


def is_raw(path: str | os.PathLike[str]) -> bool:
    """Whether a file is one of raw k-space, by its name."""
    return Path(path).suffix.lower() in SUFFIXES


def read_kspace(path: str | os.PathLike[str]) -> RawScan:
    """Read a file of fastMRI, M4Raw or ISMRMRD (HDF5), or a ``.npy`` with a JSON beside it.

    Args:
        path: the file; of M4Raw also its name without the number of the repetition, for the mean of all.

    Raises:
        BundleError: there is no such file, it has none of these schemas, or its reader refuses it.
    """
    path = expanded(path)
    if not is_raw(path):
        raise BundleError(f"{path} is no file of raw k-space, which is named {', '.join(SUFFIXES)}.")
    if not path.is_file() and not repetitions_of(path):
        raise BundleError(f"{path} does not exist.")
    try:
        return _read(path)
    except BundleError:
        raise
    except MemoryError as error:
        raise BundleError(f"The k-space of {path} does not fit into this machine's memory.") from error
    except _DAMAGE as error:
        cause = (str(error).splitlines() or [type(error).__name__])[0]
        raise BundleError(
            f"{path} cannot be read: it is cut short, damaged, or not as its schema says ({cause}); write the file "
            "anew."
        ) from error


def _read(path: Path) -> RawScan:
    if not path.is_file():
        return read_repetitions(path)
    if path.suffix.lower() == ".npy":
        return read_array(path)
    with open_hdf5(path) as file:
        names, fastmri, ismrmrd = list(file), is_fastmri(file), is_ismrmrd(file)
    if fastmri:
        return _with_siblings(read_fastmri(path))
    if ismrmrd:
        return read_ismrmrd(path)
    raise BundleError(
        f"{path} has none of the schemas that are read: fastMRI and M4Raw have a data set kspace, ISMRMRD a group with "
        f"xml and data; it holds {', '.join(names) or 'nothing'}."
    )


def _with_siblings(scan: RawScan) -> RawScan:
    """Tells that there are other repetitions."""
    others = len(repetitions_of(scan.path)) if scan.kind == "M4Raw" else 0
    if others < 2:
        return scan
    mean = scan.path.with_name(scan.path.stem[:-2] + scan.path.suffix)
    return replace(scan, remarks=(*scan.remarks, f"one of {others} repetitions; {mean.name} names the mean of all"))
