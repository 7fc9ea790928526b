"""Read T1/T2 pairs from a CSV file: columns ``subject``, ``t1``, ``t2``, and ``session``, ``split`` if wanted."""

from __future__ import annotations

import codecs
import csv
import io
import os
from collections.abc import Iterator
from pathlib import Path

from ..errors import BundleError
from ..paths import expanded
from .found import Found
from .headers import header_flaw
from .persons import one_name_a_person
from .splits import SPLITS

__all__ = ["read_csv"]

COLUMNS = ("subject", "t1", "t2", "session", "split")


def read_csv(path: str | Path) -> Found:
    """Read the pairs of a CSV file (comma, semicolon or tab) with the columns subject, t1, t2, [session], [split].

    Paths are relative to the CSV. Where a row names its split, a row without one belongs to no list.

    Raises:
        BundleError: the file cannot be read, lacks a column, names an unknown split, puts a subject in two, or holds no
            pair.
    """
    path = expanded(path).resolve()
    found, seen, side = Found.empty(), set(), dict[str, str]()
    for where, row in _rows(path, found.remarks):
        subject, session, split = row["subject"], row["session"], row["split"]
        if split not in ("", *SPLITS):
            raise BundleError(f"{path}, {where}: the split must be {', '.join(SPLITS)} or empty, not {split!r}.")
        if subject and side.setdefault(subject, split) != split:
            raise BundleError(f"{path}, {where}: {subject} has the split {split!r}, and {side[subject]!r} further up.")
        t1, t2 = (Path(os.path.normpath(path.parent / expanded(row[name]))) for name in ("t1", "t2"))
        if flaws := _flaws(row, (t1, t2), (subject, session) in seen):
            found.left_out.extend(f"{where}: {flaw}" for flaw in flaws)
            continue
        seen.add((subject, session))
        found.add(subject, session, t1, t2)
        if split:
            found.named.setdefault(split, set()).add(subject)
    if not found.items and not found.left_out:
        raise BundleError(f"{path} has no row with a T1 and a T2 below its first line.")
    if found.named:  # nothing is drawn into the lists that the table does not name
        found.named.update({split: set() for split in SPLITS if split not in found.named})
    return one_name_a_person(found).at_least_one(path)


def _rows(path: Path, remarks: list[str]) -> Iterator[tuple[str, dict[str, str]]]:
    """Each row's place in the file, and its cells; those of optional columns that are not there are empty.

    ``remarks`` receives a sentence on columns that are not read.
    """
    whole = _text(path)
    text = whole.lstrip("\r\n")
    above = len(whole.splitlines()) - len(text.splitlines())
    first = (text.splitlines() or [""])[0]
    rows = csv.DictReader(io.StringIO(text, newline=""), delimiter=max(",;\t", key=first.count))
    rows.fieldnames = [name.strip().lower() for name in rows.fieldnames or []]
    if missing := set(COLUMNS[:3]) - set(rows.fieldnames):
        raise BundleError(
            f"{path} lacks the columns {', '.join(sorted(missing))}; its first line must name subject, "
            f"t1, t2 and, if wanted, session and split."
        )
    if twice := {name for name in COLUMNS if rows.fieldnames.count(name) > 1}:
        raise BundleError(f"{path} has two columns {' and '.join(sorted(twice))}; which of them counts?")
    if unknown := sorted(name for name in {*rows.fieldnames} - {*COLUMNS} if name):
        remarks.append(f"columns that are not read: {', '.join(unknown)}; read are {', '.join(COLUMNS)}")
    try:
        for row in rows:
            cells = {name: (row.get(name) or "").strip() for name in COLUMNS}
            surplus = any(cell.strip() for cell in row.get(None) or ())  # type: ignore[call-overload]
            yield f"line {above + rows.line_num}", cells | ({"surplus": "yes"} if surplus else {})
    except csv.Error as error:
        raise BundleError(f"{path}, line {above + rows.line_num} cannot be read as CSV: {error}.") from error


def _text(path: Path) -> str:
    """The file's text, in UTF-8 or, with the mark that it begins with, UTF-16."""
    try:
        content = path.read_bytes()
        text = content.decode("utf-16" if content[:2] in (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE) else "utf-8-sig")
    except OSError as error:
        raise BundleError(f"{path} cannot be read as a CSV file: {error.strerror or error}.") from error
    except UnicodeDecodeError as error:
        raise BundleError(f"{path} is no text in UTF-8; save it anew as CSV with the encoding UTF-8.") from error
    if "\0" in text:
        raise BundleError(f"{path} is no text in UTF-8; save it anew as CSV with the encoding UTF-8.")
    return text


def _flaws(row: dict[str, str], images: tuple[Path, Path], repeated: bool) -> list[str]:
    """Why a row is left out; nothing for a pair."""
    if not all(row[name] for name in ("subject", "t1", "t2")):
        return ["subject, t1 or t2 is empty"]
    if "surplus" in row:
        return ["has more cells than the first line; put a cell that holds the delimiter in quotes"]
    if repeated:
        name = f"{row['subject']} {row['session']}".strip()
        return [f"{name} stands in an earlier line; give each scan of a subject its own session"]
    return [f"{image} {flaw}" for image in images if (flaw := header_flaw(image))]
