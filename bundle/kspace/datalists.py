"""Pairs of raw files: fastMRI's PD and PDFS knees by a published list, M4Raw's T1 and T2 by their names."""

from __future__ import annotations

import csv
import logging
import re
from pathlib import Path

from ..counted import counted
from ..data.nifti_files import some
from ..data.splits import Datalist, Item, split_by_subject
from ..errors import BundleError
from ..paths import path_of
from ..settings import plain
from .repetitions import repetitions_of

__all__ = ["fastmri_datalist", "m4raw_datalist"]

_logger = logging.getLogger(__name__)
_FASTMRI = {
    "training": "singlecoil_train",
    "test": "singlecoil_val",
}  # list -> folder of the files, start of the CSV's name
_VALIDATION = 10  # every so many-th training pair
_M4RAW = re.compile(r"(.+)_T2\d\d\.h5$", re.IGNORECASE)


def fastmri_datalist(dataset_dir: str, pairs: str | None) -> Datalist:
    """Lists of PD as ``t1`` and PDFS as ``t2``: the published validation pairs are the test, every tenth training pair
    the validation.

    Args:
        dataset_dir: with fastMRI's folders ``singlecoil_train`` and ``singlecoil_val``.
        pairs: folder with ``singlecoil_train....csv`` and ``singlecoil_val....csv``: PD file, PDFS file, score; None:
            ``dataset_dir`` holds them.

    Raises:
        BundleError: a folder, both CSV files or all files of a list are missing.
    """
    folder = _folder("dataset_dir", dataset_dir)
    beside = plain(pairs) is None
    if beside and not all(any(folder.glob(f"{start}*.csv")) for start in _FASTMRI.values()):
        raise BundleError(
            f"fastMRI's pairs are named by a list; put its two CSV files into {folder}, or give the folder of its CSV "
            "files with --pairs DIR."
        )
    place = folder if beside else _folder("pairs", pairs)
    lists = {name: _pairs_of(place, folder, start) for name, start in _FASTMRI.items()}
    validation = lists["training"][::_VALIDATION]
    training = [item for item in lists["training"] if item not in validation]
    return {"training": training, "validation": validation, "test": lists["test"]}


def m4raw_datalist(dataset_dir: str, seed: int = 0) -> Datalist:
    """Lists of T1 and T2, each the mean of its repetitions, split by subject.

    Args:
        dataset_dir: its files, in any folders below.
        seed: of the split.

    Raises:
        BundleError: no subject has both.
    """
    folder = _folder("dataset_dir", dataset_dir)
    stems = sorted({path.with_name(found[1]) for path in folder.rglob("*.h5") if (found := _M4RAW.match(path.name))})
    items: list[Item] = []
    for stem in stems:
        t1, t2 = (stem.with_name(f"{stem.name}_{contrast}.h5") for contrast in ("T1", "T2"))
        if repetitions_of(t1):
            items.append({"subject": stem.name, "t1": str(t1), "t2": str(t2)})
    if not items:
        raise BundleError(f"{folder} holds no T1 and T2 of one subject of M4Raw, as NAME_T101.h5 and NAME_T201.h5.")
    return split_by_subject(items, seed=seed)


def _folder(name: str, value: str | None) -> Path:
    folder = path_of(name, value).resolve()
    if not folder.is_dir():
        raise BundleError(f"{name} is a folder, and {folder} is none.")
    return folder


def _pairs_of(lists: Path, folder: Path, start: str) -> list[Item]:
    found = sorted(lists.glob(f"{start}*.csv"))
    if len(found) != 1:
        raise BundleError(f"{lists} holds {len(found)} files {start}*.csv with pairs; there must be one.")
    with found[0].open(newline="", encoding="utf-8") as file:
        rows = [[cell.strip() for cell in row[:2]] for row in csv.reader(file) if row]
    if any(len(row) < 2 or not all(row) for row in rows):
        raise BundleError(f"{found[0]} has lines without two files; each is: PD file, PDFS file, score.")
    named = [[folder / start / f"{name}.h5" for name in row] for row in rows]
    there = [pair for pair in named if all(file.is_file() for file in pair)]
    if not there:
        raise BundleError(
            f"None of the {len(named)} pairs of {found[0]} is in {folder / start}, as {named[0][0].name}."
        )
    if missing := [pair[1].stem for pair in named if pair not in there]:
        _logger.warning("%s: left out for want of a file, %s: %s", start, counted(len(missing), "pair"), some(missing))
    return [{"subject": t2.stem, "t1": str(t1), "t2": str(t2)} for t1, t2 in there]
