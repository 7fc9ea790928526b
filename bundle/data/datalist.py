"""``datalist.json``: the T1/T2 pairs of a dataset folder in lists for training, validation and test; read and written.

``dataset_dir/datalist.json`` is ``{"training": [...], "validation": [...], "test": [...]}``; each item is
``{"subject": ..., "t1": ..., "t2": ...}``, plus ``"session"`` where a subject was scanned more than once, and
``"lesions"``, a mask, where lesions are to be measured (:mod:`bundle.evaluation.lesions`). Paths are relative to
``dataset_dir``, with forward slashes (absolute only where no relative path exists, such as another drive).
"""

from __future__ import annotations

import json
import os
import re
import unicodedata
from collections.abc import Mapping, Sequence
from pathlib import Path

from ..errors import BundleError
from ..outputs import write_whole
from ..paths import expanded, path_of
from .headers import header_flaw
from .same_images import check_lists
from .splits import SPLITS, Datalist, Item

__all__ = [
    "DATALIST_NAME",
    "check_header",
    "folded_name",
    "listed_items",
    "read_datalist",
    "select",
    "volume_name",
    "write_datalist",
]

DATALIST_NAME = "datalist.json"
FILES = {"t1", "t2", "lesions"}  # keys of an item that are paths


def read_datalist(dataset_dir: str | Path) -> Datalist:
    """All lists of ``dataset_dir/datalist.json``, checked, with absolute paths.

    Args:
        dataset_dir: folder that holds ``datalist.json``.

    Returns:
        list name -> items; each item has ``subject``, ``t1``, ``t2`` and perhaps ``session`` and ``lesions``.

    Raises:
        BundleError: the folder or file is missing or unreadable, an item lacks a key or names a file that is missing
            or no NIfTI volume by its header, two items are one volume, T1 and T2 are one image, or a subject or an
            image stands in two lists.
    """
    folder = path_of("dataset_dir", dataset_dir).resolve()
    path = folder / DATALIST_NAME
    if folder.is_file():
        raise BundleError(f"The dataset folder {folder} is a file; set dataset_dir to the folder with {DATALIST_NAME}.")
    if not folder.is_dir():
        raise BundleError(f"The dataset folder {folder} does not exist; set dataset_dir to one with {DATALIST_NAME}.")
    if not path.is_file():
        raise BundleError(
            f"{folder} holds no {DATALIST_NAME}; make one with: python -m bundle pairs '{folder}' --output '{path}'"
        )
    datalist = listed_items(path)
    for name, items in datalist.items():
        for index, item in enumerate(items):
            for key in ("t1", "t2"):
                check_header(item[key], f"{path}, {name}[{index}], {key}: ")
    _check_sides(datalist, path)
    check_lists(datalist, path)
    return datalist


def listed_items(path: Path) -> Datalist:
    """All lists of a datalist file, with absolute paths; at its images nobody has looked.

    Raises:
        BundleError: the file is missing or unreadable, or holds no list, or an item lacks a key.
    """
    folder = path.resolve().parent
    datalist = {
        name: [_resolved(item, folder, f"{path}, {name}[{index}]") for index, item in enumerate(items)]
        for name, items in _parse(path).items()
        if isinstance(items, list)
    }
    if not datalist:
        raise BundleError(f"{path} holds no list of pairs; expected an object with the lists {', '.join(SPLITS)}.")
    return datalist


def select(datalist: Mapping[str, list[Item]], split: str) -> list[Item]:
    """The items of one list, for instance ``test``; BundleError if there is no such list or it is empty."""
    if split not in datalist:
        raise BundleError(f"The datalist has no list {split!r}; it has {', '.join(datalist)}.")
    if not datalist[split]:
        filled = ", ".join(name for name, items in datalist.items() if items) or "none"
        raise BundleError(
            f"The list {split!r} of the datalist is empty (filled: {filled}); choose another split or "
            f"make the datalist anew with subjects in it."
        )
    return datalist[split]


def volume_name(item: Mapping[str, str]) -> str:
    """``subject`` or ``subject_session``, with every character that a file name may not hold replaced by ``_``."""
    name = "_".join(part for part in (item["subject"], item.get("session", "")) if part)
    return re.sub(r"[^\w.-]", "_", name).lstrip(".") or "_"


def folded_name(item: Mapping[str, str]) -> str:
    """:func:`volume_name` as file systems compare it that heed neither case nor how an accent is written."""
    return volume_name({key: unicodedata.normalize("NFC", text) for key, text in item.items()}).casefold()


def write_datalist(datalist: Mapping[str, Sequence[Item]], path: str | Path, overwrite: bool = False) -> None:
    """Write items with absolute paths as a datalist whose paths are relative to the file's folder.

    Raises:
        BundleError: the file exists and ``overwrite`` is false or it is no JSON by its name; it cannot be written, or
            a path is no text.
    """
    path = expanded(path).absolute()
    if os.path.lexists(path) and not overwrite:
        raise BundleError(f"{path} already exists; pass --overwrite to replace it, or name another file with --output.")
    if os.path.lexists(path) and path.suffix.lower() != Path(DATALIST_NAME).suffix:
        raise BundleError(f"{path} is no datalist and is not replaced by one; name another file with --output.")
    folder = path.parent.resolve()
    lists = {
        name: [
            {key: _relative(value, folder) if key in FILES else value for key, value in item.items()} for item in items
        ]
        for name, items in datalist.items()
    }
    try:
        content = (json.dumps(lists, indent=2, ensure_ascii=False) + "\n").encode("utf-8")
    except UnicodeEncodeError as error:
        raise BundleError(
            f"{path} cannot name its images, as a folder on the way to them has a name that is not UTF-8; rename it, "
            "or write the datalist into the folder of the images."
        ) from error
    write_whole(path, content)


def _relative(file: str, folder: Path) -> str:
    try:
        return Path(os.path.relpath(file, folder)).as_posix()
    except ValueError:  # another drive: no relative path exists
        return Path(file).as_posix()


def _parse(path: Path) -> dict[str, object]:
    try:
        content = json.loads(path.read_text(encoding="utf-8-sig"), object_pairs_hook=_with_each_key_once)
    except OSError as error:
        raise BundleError(f"{path} cannot be read ({error.strerror or error}); get leave to read it.") from error
    except (ValueError, RecursionError) as error:
        raise BundleError(
            f"{path} is not readable JSON ({error}); mend it, or make it with python -m bundle pairs."
        ) from error
    if not isinstance(content, dict):
        raise BundleError(
            f"{path} must be an object with the lists {', '.join(SPLITS)}, not a {type(content).__name__}."
        )
    return content


def _with_each_key_once(pairs: list[tuple[str, object]]) -> dict[str, object]:
    """The object; of two equal keys json would take the last without a word."""
    result = dict(pairs)
    if len(result) < len(pairs):
        raise ValueError(f"a key stands twice in an object with the keys {', '.join(key for key, _ in pairs)}")
    return result


def _resolved(item: object, folder: Path, where: str) -> Item:
    """The item with absolute paths; BundleError if a key is missing."""
    if not isinstance(item, dict):
        raise BundleError(f"{where} must be an object with subject, t1 and t2, not {item!r}.")
    for key in ("subject", "t1", "t2"):
        if not isinstance(item.get(key), str) or not item[key].strip():
            raise BundleError(f"{where} needs the key {key!r} with a text value; it holds {item}.")
    for key in {"session", "lesions"} & item.keys():
        if isinstance(item[key], (dict, list)):
            raise BundleError(f"{where} has {item[key]!r} as {key}; expected a text.")
    result = {key: str(value) for key, value in item.items() if value is not None}
    for key in {"subject", "session"} & result.keys():  # as two names one person could stand in two lists
        result[key] = result[key].strip()
    for key in FILES & result.keys():
        result[key] = os.path.normpath(folder / expanded(result[key]))
    return result


def check_header(path: str, where: str = "") -> None:
    """BundleError where a file cannot be read; whether single slices may pass is for the reader to say."""
    if flaw := header_flaw(expanded(path), min_slices=1):
        raise BundleError(f"{where}{path} {flaw}.")


def _check_sides(datalist: Datalist, path: Path) -> None:
    side: dict[str, tuple[str, str]] = {}
    volumes: set[str] = set()
    for name, items in datalist.items():
        for item in items:
            subject, volume = item["subject"], folded_name(item)
            other, its_list = side.setdefault(folded_name({"subject": subject}), (subject, name))
            if its_list != name:
                known_as = "" if other == subject else f" (as {other!r}, one name where files are concerned)"
                raise BundleError(
                    f"{path} has subject {subject!r} in both {its_list!r}{known_as} and {name!r}; "
                    f"a subject must stand in one list only."
                )
            if volume in volumes:
                raise BundleError(
                    f"{path} names the volume {volume_name(item)!r} twice, as names of files are compared; give each "
                    "item of a subject its own session."
                )
            volumes.add(volume)
