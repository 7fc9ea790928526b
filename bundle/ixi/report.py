"""``subjects.csv``, a row for each subject whatever became of it, and what a person is told at the end."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

import pandas as pd

from ..counted import counted
from ..data.datalist import DATALIST_NAME, listed_items
from ..data.nifti_files import some
from ..data.splits import Datalist
from ..errors import BundleError
from ..outputs import write_text
from .subject import COLUMNS, hospital_of

__all__ = ["SUBJECTS", "left_out_rows", "summary", "write_subjects"]

SUBJECTS = "subjects.csv"
_SUBJECT = re.compile(r"IXI\d+(?:-[A-Za-z]+-\d+)?", re.IGNORECASE)


def left_out_rows(left_out: Sequence[str], paired: Collection[str]) -> tuple[list[dict[str, Any]], list[str]]:
    """Rows of the subjects without a pair, from the sentences that say why, and the sentences that are about none.

    Args:
        left_out: of :func:`~bundle.data.find_pairs`.
        paired: subjects that have one all the same.
    """
    rows: dict[str, dict[str, Any]] = {}
    others = []
    for sentence in left_out:
        names = [] if " other NIfTI files" in sentence else _SUBJECT.findall(sentence)
        subject = names[0].partition("-")[0].upper() if names else ""
        if not names or subject in paired:
            others.append(sentence)
            continue
        row = rows.setdefault(subject, {"subject": subject, "hospital": "", "state": "left out", "reason": ""})
        own = [hospital_of(f"{name}-") for name in names if name.upper().startswith(subject)]
        row["hospital"] = row["hospital"] or max(own, key=len)
        row["reason"] = "; ".join(filter(None, [row["reason"], sentence]))
    return list(rows.values()), others


def write_subjects(rows: Sequence[Mapping[str, Any]], path: Path) -> None:
    """Write ``subjects.csv``, sorted; one of an earlier run is replaced: it tells of the folder as it is.

    ``list`` is that of the datalist beside it.
    """
    lists: Datalist = {}
    with suppress(BundleError):  # one of another program, which stays as it is
        lists = listed_items(path.with_name(DATALIST_NAME))
    list_of = {item["subject"]: name for name, items in lists.items() for item in items}
    frame = pd.DataFrame(sorted(rows, key=lambda row: row["subject"]), columns=COLUMNS)
    frame["list"] = frame["subject"].map(list_of)
    frame["slices"] = frame["slices"].astype("Int64")
    write_text(path, frame.to_csv(index=False, lineterminator="\n"))


def summary(rows: Sequence[Mapping[str, Any]], datalist: Datalist, path: Path) -> str:
    """The lists by hospital, and every subject that is in none."""
    hospital = {row["subject"]: row["hospital"] or "unknown" for row in rows}
    lines = [f"{path}: {counted(sum(map(len, datalist.values())), 'pair')}"]
    for name, items in datalist.items():
        shares = Counter(hospital[item["subject"]] for item in items)
        told = ", ".join(f"{place} {count}" for place, count in sorted(shares.items()))
        lines.append(f"  {name:<11}{len(items):>4}  {told}".rstrip())
    remarks = Counter(row["state"] for row in rows if row["state"] != "prepared")
    if remarks:
        told = ", ".join(f"{count} {state}" for state, count in remarks.items())
        names = some((f"{row['subject']} ({row['reason']})" for row in rows if row["state"] != "prepared"), 8)
        lines.append(f"Without a pair ({told}): {names}")
    if short := [row["subject"] for row in rows if "fewer than" in str(row.get("reason"))]:
        lines.append(f"With fewer slices than the others: {some(short)}")
    return "\n".join([*lines, f"{path.parent / SUBJECTS} has a row for each subject."])
