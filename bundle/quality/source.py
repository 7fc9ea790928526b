"""The pairs that a quality sheet is made of: a datalist, or what ``python -m bundle pairs`` would find."""

from __future__ import annotations

import os
from pathlib import Path

from ..data.datalist import DATALIST_NAME, listed_items, select
from ..data.pairs import find_pairs, read_csv
from ..data.splits import Item
from ..errors import BundleError
from ..paths import expanded

__all__ = ["pairs_of"]


def pairs_of(source: Path, split: str | None = None) -> tuple[list[Item], list[str]]:
    """Pairs, each with the ``list`` that it stands in, if any, and sentences on what was left out.

    The images of a datalist are not looked at yet, so that one that cannot be read is told of on the sheet.

    Args:
        source: a datalist, a folder with one, or a folder or CSV file with pairs.
        split: one list of a datalist; None for all.

    Raises:
        BundleError: there is nothing of that kind, or no pair in it.
    """
    source = expanded(source)
    path = source / DATALIST_NAME if os.path.isdir(source) else source
    if os.path.isfile(path) and path.suffix.lower() == ".json":
        datalist = listed_items(path)
        lists = datalist if split is None else {split: select(datalist, split)}
        items = [{**item, "list": name} for name, found in lists.items() for item in found]
        if not items:
            raise BundleError(f"{path} has no pair in any list; make it anew with python -m bundle pairs.")
        return items, []
    if split is not None:
        raise BundleError(f"--split names a list of a {DATALIST_NAME}, and {source} is none and holds none.")
    if os.path.isdir(source):
        found = find_pairs(source)
    elif os.path.isfile(source) and source.suffix.lower() == ".csv":
        found = read_csv(source)
    else:
        found_there = "is none" if os.path.exists(source) else "does not exist"
        raise BundleError(f"Name a folder with T1 and T2, a {DATALIST_NAME} or a .csv file: {source} {found_there}.")
    return found.items, found.left_out
