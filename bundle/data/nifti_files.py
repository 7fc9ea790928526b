"""The NIfTI files below a folder, and what is there that cannot be taken: each is named, none is passed over."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterable, Iterator
from pathlib import Path

from .folders import folders_below
from .layouts import stem

__all__ = ["nifti_files", "some"]

_OTHER_FORMATS = ".mgz .mgh .nrrd .nhdr .mha .mhd .img .hdr .dcm .ima .mnc .par .h5".split()


def nifti_files(root: Path, left_out: list[str]) -> list[Path]:
    """All NIfTI files below root, sorted; hidden folders and BIDS's derivatives are not entered.

    Args:
        root: a folder.
        left_out: receives a sentence on folders that were not entered, names that are no text, and other formats.
    """
    files: list[Path] = []
    others: Counter[str] = Counter()
    for folder, names in _folders(root, left_out):
        files += [folder / name for name in names if stem(name) != name]
        others.update(end for name in names if (end := os.path.splitext(name)[1].lower()) in _OTHER_FORMATS)
    if others:
        kinds = some(f"{end} {count}" for end, count in others.most_common())
        left_out.append(f"{others.total()} files of other formats ({kinds}): convert them to NIfTI")
    odd = [path for path in files if not _is_text(path.relative_to(root))]
    left_out += [f"{path.relative_to(root)}: its name is not UTF-8; rename it" for path in odd]
    return sorted(set(files) - set(odd))


def some(names: Iterable[str], most: int = 6) -> str:
    """The first names, and how many more there are."""
    names = list(names)
    return ", ".join(names[:most]) + (f" and {len(names) - most} more" if len(names) > most else "")


def _folders(root: Path, left_out: list[str]) -> Iterator[tuple[Path, list[str]]]:
    """Each folder that may be entered, with the names of its files."""
    refused: list[OSError] = []
    for place, folders, names in folders_below(root, refused.append):
        copies = [name for name in folders if name.lower() == "derivatives"]
        left_out += [f"{(place / name).relative_to(root)}: processed copies by name, not entered" for name in copies]
        folders[:] = [name for name in folders if name not in copies]
        yield place, names
    left_out += [f"{Path(error.filename).relative_to(root)}: cannot be entered ({error.strerror})" for error in refused]


def _is_text(path: Path) -> bool:
    """Whether the name can be written to a file: bytes of another encoding come as lone surrogates."""
    try:
        str(path).encode("utf-8")
    except UnicodeEncodeError:
        return False
    return True
