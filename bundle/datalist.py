"""The datalist: which T1/T2 pairs a dataset folder holds, and which side of the split each subject is on.

``dataset_dir/datalist.json`` is ``{"training": [...], "validation": [...], "test": [...]}``; each item is
``{"subject": ..., "t1": ..., "t2": ...}``, plus ``"session"`` where a subject was scanned more than once. Paths are
relative to ``dataset_dir``, with forward slashes (absolute only where no relative path exists, such as another drive).

A split is by subject, so that two sessions of one person never stand on two sides. Subjects are ordered by a hash of
seed and name: the split depends neither on the file system nor on the platform, and hardly changes when one is added.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import tempfile
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path

from bundle.errors import BundleError
from bundle.flags import plain

__all__ = [
    "DATALIST_NAME",
    "SPLITS",
    "cross_validation",
    "inference_items",
    "read_datalist",
    "select",
    "split_by_subject",
    "volume_name",
    "write_datalist",
]

SPLITS = ("training", "validation", "test")
DATALIST_NAME = "datalist.json"
# IXI's 577 subjects as the paper splits them (section IV-A)
_PAPER_COUNTS = {"training": 369, "validation": 93, "test": 115}

Item = dict[str, str]
Datalist = dict[str, list[Item]]


def read_datalist(dataset_dir: str | Path) -> Datalist:
    """All lists of ``dataset_dir/datalist.json``, checked, with absolute paths.

    Args:
        dataset_dir: folder that holds ``datalist.json``.

    Returns:
        list name -> items; each item has ``subject``, ``t1``, ``t2`` and perhaps ``session``.

    Raises:
        BundleError: the folder or file is missing or unreadable, an item lacks a key or names a missing file, two items
            are one volume, or a subject stands on two sides.
    """
    folder = Path(dataset_dir).expanduser().resolve()
    path = folder / DATALIST_NAME
    if not folder.is_dir():
        raise BundleError(f"The dataset folder {folder} does not exist; set dataset_dir to one with {DATALIST_NAME}.")
    if not path.is_file():
        raise BundleError(f"{folder} holds no {DATALIST_NAME}; make one with: "
                          f"python -m bundle.pairs '{folder}' --output '{path}'")
    datalist = {name: [_resolved(item, folder, f"{path}, {name}[{index}]") for index, item in enumerate(items)]
                for name, items in _parse(path).items() if isinstance(items, list)}
    if not datalist:
        raise BundleError(f"{path} holds no list of pairs; expected an object with the lists {', '.join(SPLITS)}.")
    _check_sides(datalist, path)
    return datalist


def select(datalist: Mapping[str, list[Item]], split: str) -> list[Item]:
    """The items of one list, for instance ``test``; BundleError if there is no such list or it is empty."""
    if split not in datalist:
        raise BundleError(f"The datalist has no list {split!r}; it has {', '.join(datalist)}.")
    if not datalist[split]:
        filled = ", ".join(name for name, items in datalist.items() if items) or "none"
        raise BundleError(f"The list {split!r} of the datalist is empty (filled: {filled}); choose another split or "
                          f"make the datalist anew with subjects in it.")
    return datalist[split]


def cross_validation(datalist: Mapping[str, list[Item]], folds: int, fold: int) -> Datalist:
    """Deal all subjects of a datalist to ``folds`` groups: one group is tested, all the others are trained on.

    Nothing is left to validate on, so nothing may be chosen by the validation: its list holds the first volume that is
    trained on, and draws curves only. The deal follows from the subjects' names, which list one came from does not
    matter.

    Args:
        datalist: list name -> items.
        folds: number of groups, from 2 to the number of subjects (leave one out).
        fold: which group is tested, from 0.

    Raises:
        BundleError: folds or fold out of range.
    """
    items = [item for group in datalist.values() for item in group]
    subjects = _shuffled({item["subject"] for item in items}, seed=0)
    if not isinstance(folds, int) or not 2 <= folds <= len(subjects):
        raise BundleError(f"Cross-validation needs folds from 2 to the number of subjects, {len(subjects)}; "
                          f"not {folds!r}.")
    if not isinstance(fold, int) or not 0 <= fold < folds:
        raise BundleError(f"Of {folds} folds the first is 0 and the last {folds - 1}; there is no fold {fold!r}.")
    tested = set(subjects[fold::folds])
    ordered = sorted(items, key=lambda item: (item["subject"], item.get("session", "")))
    training = [item for item in ordered if item["subject"] not in tested]
    return {"training": training, "validation": training[:1],
            "test": [item for item in ordered if item["subject"] in tested]}


def volume_name(item: Mapping[str, str]) -> str:
    """``subject`` or ``subject_session``, with every character that a file name may not hold replaced by ``_``."""
    name = "_".join(part for part in (item["subject"], item.get("session", "")) if part)
    return re.sub(r"[^\w.-]", "_", name).lstrip(".") or "_"


def inference_items(t1: str | None, t2: str | None, dataset_dir: str, split: str = "test") -> list[Item]:
    """What to reconstruct: the pair ``t1``, ``t2`` where given, named after its T2 file, else a list of a datalist.

    Raises:
        BundleError: only one of the two is given, or what :func:`read_datalist` and :func:`select` refuse.
    """
    t1, t2 = plain(t1), plain(t2)
    if t1 is None and t2 is None:
        return select(read_datalist(dataset_dir), split)
    if t1 is None or t2 is None:
        given, missing = ("t2", "t1") if t1 is None else ("t1", "t2")
        raise BundleError(f"Inference needs both images of a subject: --{given} is there, --{missing} FILE is missing.")
    stem = re.sub(r"\.nii(\.gz)?$", "", Path(str(t2)).name)
    return [{"subject": stem, "t1": str(t1), "t2": str(t2)}]


def split_by_subject(items: Sequence[Item], sizes: Mapping[str, int | float | None] | None = None,
                     named: Mapping[str, Collection[str]] | None = None, seed: int = 0) -> Datalist:
    """Divide pairs into training, validation and test, all sessions of a subject on one side.

    Args:
        items: pairs with ``subject``.
        sizes: list -> number of subjects (int) or fraction of the subjects (float); lists without a size share what
            is left in the paper's proportion 369 : 93 : 115.
        named: list -> its subjects. Such a list holds exactly these; the others are drawn into the lists not named.
        seed: another seed is another draw.

    Returns:
        list name -> items, sorted by subject and session; subjects that no list wanted are absent.

    Raises:
        BundleError: more subjects wanted than there are, or a named subject is unknown or named twice.
    """
    subjects = {item["subject"] for item in items}
    side = _named_sides(named or {}, subjects)
    drawn = _shuffled(subjects - side.keys(), seed)
    free = [split for split in SPLITS if split not in (named or {})]
    for split, count in _counts(len(drawn), {split: (sizes or {}).get(split) for split in free}).items():
        side.update(dict.fromkeys(drawn[:count], split))
        drawn = drawn[count:]
    ordered = sorted(items, key=lambda item: (item["subject"], item.get("session", "")))
    return {split: [item for item in ordered if side.get(item["subject"]) == split] for split in SPLITS}


def write_datalist(datalist: Mapping[str, Sequence[Item]], path: str | Path, overwrite: bool = False) -> None:
    """Write items with absolute paths as a datalist whose paths are relative to the file's folder.

    Raises:
        BundleError: the file exists and ``overwrite`` is false, or it cannot be written.
    """
    path = Path(path).expanduser().absolute()
    if path.exists() and not overwrite:
        raise BundleError(f"{path} already exists; pass --overwrite to replace it, or name another file with --output.")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        folder = path.parent.resolve()
        lists = {name: [{key: _relative(value, folder) if key in ("t1", "t2") else value for key, value in item.items()}
                        for item in items] for name, items in datalist.items()}
        # written beside and renamed, so that an interrupted run leaves no half a list
        with tempfile.TemporaryDirectory(dir=folder, prefix=".datalist-") as scratch:
            draft = Path(scratch, path.name)
            draft.write_text(json.dumps(lists, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
            os.replace(draft, path)
    except OSError as error:
        raise BundleError(f"The datalist {path} cannot be written: {error.strerror or error}.") from error


def _shuffled(subjects: Collection[str], seed: int) -> list[str]:
    """An order that follows from seed and names alone."""
    return sorted(subjects, key=lambda name: hashlib.sha256(f"{seed}:{name}".encode()).digest())


def _relative(file: str, folder: Path) -> str:
    try:
        return Path(os.path.relpath(file, folder)).as_posix()
    except ValueError:  # another drive: no relative path exists
        return Path(file).as_posix()


def _parse(path: Path) -> dict[str, object]:
    try:
        content = json.loads(path.read_text(encoding="utf-8-sig"))
    except (OSError, ValueError) as error:
        raise BundleError(f"{path} is not readable JSON ({error}); mend it or make it with bundle.pairs.") from error
    if not isinstance(content, dict):
        raise BundleError(f"{path} must be an object with the lists {', '.join(SPLITS)}, "
                          f"not a {type(content).__name__}.")
    return content


def _resolved(item: object, folder: Path, where: str) -> Item:
    """The item with absolute paths; BundleError if a key or file is missing."""
    if not isinstance(item, dict):
        raise BundleError(f"{where} must be an object with subject, t1 and t2, not {item!r}.")
    for key in ("subject", "t1", "t2"):
        if not isinstance(item.get(key), str) or not item[key]:
            raise BundleError(f"{where} needs the key {key!r} with a text value; it holds {item}.")
    result = {key: str(value) for key, value in item.items() if value is not None}
    for key in ("t1", "t2"):
        result[key] = os.path.normpath(folder / item[key])
        if not os.path.isfile(result[key]):
            raise BundleError(f"{where} names the {key} file {result[key]}, which does not exist.")
    return result


def _check_sides(datalist: Datalist, path: Path) -> None:
    side: dict[str, str] = {}
    volumes: set[str] = set()
    for name, items in datalist.items():
        for item in items:
            subject, volume = item["subject"], volume_name(item)
            if side.setdefault(subject, name) != name:
                raise BundleError(f"{path} has subject {subject!r} in both {side[subject]!r} and {name!r}; "
                                  f"a subject must stand in one list only.")
            if volume in volumes:
                raise BundleError(f"{path} names the volume {volume!r} twice; give each item of a subject "
                                  f"its own session.")
            volumes.add(volume)


def _named_sides(named: Mapping[str, Collection[str]], subjects: Collection[str]) -> dict[str, str]:
    side: dict[str, str] = {}
    for split, names in named.items():
        for name in names:
            if name not in subjects:
                raise BundleError(f"The {split} subject {name!r} is not among the subjects with a pair: "
                                  f"{', '.join(sorted(subjects))}.")
            if side.setdefault(name, split) != split:
                raise BundleError(f"Subject {name!r} is named for both {side[name]} and {split}; name it for one.")
    return side


def _counts(available: int, sizes: Mapping[str, int | float | None]) -> dict[str, int]:
    """How many subjects each list gets: largest remainders, and no wanted list empty while another has two."""
    wanted = {split: size if isinstance(size, int) else size * available for split, size in sizes.items()
              if size is not None}
    rest = available - sum(wanted.values())
    if rest < -1e-6 or min(wanted.values(), default=0) < 0:
        raise BundleError(f"The split asks for {', '.join(f'{name} {size}' for name, size in sizes.items() if size)}, "
                          f"but {available} subjects are to be divided; ask for fewer.")
    share = {split: _PAPER_COUNTS[split] for split, size in sizes.items() if size is None}
    wanted |= {split: max(rest, 0) * part / sum(share.values()) for split, part in share.items()}
    counts = {split: int(size) for split, size in wanted.items()}
    by_remainder = sorted(counts, key=lambda split: counts[split] - wanted[split])
    for split in by_remainder[:round(sum(wanted.values())) - sum(counts.values())]:
        counts[split] += 1
    for split in (split for split in counts if counts[split] == 0 and wanted[split] > 0):
        giver = max((other for other in counts if not isinstance(sizes[other], int)), key=counts.__getitem__)
        if counts[giver] > 1:
            counts[giver] -= 1
            counts[split] += 1
    return {split: counts[split] for split in SPLITS if split in counts}
