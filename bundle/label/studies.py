"""The folder of studies: pairs to train on, and what of it a server's demo shows."""

from __future__ import annotations

import logging
import shutil
from collections.abc import Iterable
from pathlib import Path

from ..data import NamedPaird, split_by_subject
from ..data.datalist import read_datalist
from ..data.headers import header_flaw
from ..data.layouts import stem
from ..data.splits import Datalist
from ..demo.default import make_default_dataset
from ..errors import BundleError
from ..outputs import check_writable
from ..paths import data_root

__all__ = ["make_demo_studies", "training_lists"]

_logger = logging.getLogger(__name__)


def training_lists(images: Iterable[str | Path], val_split: float = 0.2) -> Datalist:
    """The pairs of a folder of studies, in lists for training and validation.

    A study without a T1, or one that cannot be read, is left out with a line in the log.

    Args:
        images: T2 files; each one's T1 lies beside it by name.
        val_split: part of the subjects that validates, at least one.

    Raises:
        BundleError: fewer than two subjects have a pair, or ``val_split`` is no part.
    """
    if not isinstance(val_split, (int, float)) or not 0 <= val_split < 1:
        raise BundleError(f"val_split is the part of the studies that validates, from 0 to below 1, not {val_split!r}.")
    items = []
    for image in sorted(map(str, images)):
        try:
            pair = NamedPaird()({"image": image})
            if flaw := next(filter(None, (header_flaw(Path(pair[key])) for key in ("t1", "t2"))), ""):
                raise BundleError(f"{image} {flaw}.")
        except BundleError as error:
            _logger.warning("Left out of the training: %s", error)
            continue
        items.append({key: pair[key] for key in ("subject", "t1", "t2")})
    if len(items) < 2:
        raise BundleError(
            f"A training needs two studies with a T1 at least, one of them to validate on, and {len(items)} "
            f"{'has' if len(items) == 1 else 'have'} one."
        )
    validating = max(1, round(val_split * len(items)))
    lists = split_by_subject(items, {"validation": validating, "test": 0, "training": len(items) - validating})
    return {name: lists[name] for name in ("training", "validation")}


def make_demo_studies(folder: Path) -> Path:
    """Copy the pairs of the demo data, which are made by code where they are missing, to a folder as a server wants it.

    T2 files lie in the folder, T1 files in its ``T1``. A folder that exists is left as it is.

    Raises:
        BundleError: the folder cannot be written, or the demo data cannot be made.
    """
    if folder.exists():
        return folder
    check_writable(folder, "The folder of studies", "another")
    source = data_root() / "demo_data"
    make_default_dataset(str(source), str(data_root()), [])
    (folder / "T1").mkdir(parents=True)
    for item in [item for items in read_datalist(source).values() for item in items]:
        name = "_".join(filter(None, [item["subject"], item.get("session")]))
        for key, place in (("t1", folder / "T1"), ("t2", folder)):
            suffix = Path(item[key]).name.removeprefix(stem(item[key]))
            shutil.copy(item[key], place / f"{name}_{key.upper()}{suffix}")
    return folder
