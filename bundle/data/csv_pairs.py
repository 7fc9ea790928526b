"""Read T1/T2 pairs from a CSV file: columns ``subject``, ``t1``, ``t2``, and ``session``, ``split`` if wanted."""

from __future__ import annotations

import csv
import os
from collections.abc import Iterator
from pathlib import Path

from ..errors import BundleError
from .folder_pairs import Found
from .headers import header_flaw
from .splits import SPLITS

__all__ = ["read_csv"]

COLUMNS = ("subject", "t1", "t2", "session", "split")


def read_csv(path: str | Path) -> Found:
    """Read the pairs of a CSV file (comma, semicolon or tab) with the columns subject, t1, t2, [session], [split].

    Paths are relative to the CSV. Where a row names its split, a row without one belongs to no list.

    Raises:
        BundleError: the file cannot be read, lacks a column, names an unknown split, or holds no pair.
    """
    path = Path(path).expanduser().resolve()
    found, seen = Found([], [], {}), set()
    for where, row in _rows(path):
        subject, session, split = row["subject"], row["session"], row["split"]
        if split not in ("", *SPLITS):
            raise BundleError(f"{path}, {where}: the split must be {', '.join(SPLITS)} or empty, not {split!r}.")
        t1, t2 = (Path(os.path.normpath(path.parent / row[name])) for name in ("t1", "t2"))
        if flaws := _flaws(row, (t1, t2), (subject, session) in seen):
            found.left_out.extend(f"{where}: {flaw}" for flaw in flaws)
            continue
        seen.add((subject, session))
        found.add(subject, session, t1, t2)
        if split:
            found.named.setdefault(split, set()).add(subject)
    if found.named:  # nothing is drawn into the lists that the table does not name
        found.named.update({split: set() for split in SPLITS if split not in found.named})
    return found.at_least_one(path)


def _rows(path: Path) -> Iterator[tuple[str, dict[str, str]]]:
    """Each row's place in the file, and its cells; those of optional columns that are not there are empty."""
    try:
        lines = path.read_text(encoding="utf-8-sig").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise BundleError(f"{path} cannot be read as a CSV file: {error}.") from error
    rows = csv.DictReader(lines, delimiter=max(",;\t", key=(lines or [""])[0].count))
    rows.fieldnames = [name.strip().lower() for name in rows.fieldnames or []]
    if missing := set(COLUMNS[:3]) - set(rows.fieldnames):
        raise BundleError(
            f"{path} lacks the columns {', '.join(sorted(missing))}; its first line must name subject, "
            f"t1, t2 and, if wanted, session and split."
        )
    for row in rows:
        yield f"line {rows.line_num}", {name: (row.get(name) or "").strip() for name in COLUMNS}


def _flaws(row: dict[str, str], images: tuple[Path, Path], repeated: bool) -> list[str]:
    """Why a row is left out; nothing for a pair."""
    if not all(row[name] for name in ("subject", "t1", "t2")):
        return ["subject, t1 or t2 is empty"]
    if repeated:
        name = f"{row['subject']} {row['session']}".strip()
        return [f"{name} stands in an earlier line; give each scan of a subject its own session"]
    return [f"{image} {flaw}" for image in images if (flaw := header_flaw(image))]
