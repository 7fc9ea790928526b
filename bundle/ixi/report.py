"""``subjects.csv``, a row for each subject whatever became of it, and what a person is told at the end."""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pandas as pd

from ..data.datalist import Datalist
from ..data.nifti_files import some
from ..outputs import write_text
from .subject import COLUMNS, hospital_of

__all__ = ["SUBJECTS", "left_out_rows", "summary", "write_subjects"]

SUBJECTS = "subjects.csv"
_SUBJECT = re.compile(r"IXI\d+(?:-[A-Za-z]+-\d+)?", re.IGNORECASE)


def left_out_rows(left_out: Sequence[str]) -> tuple[list[dict[str, Any]], list[str]]:
    """Rows of the subjects without a pair, from the sentences that say why, and the sentences that are about none."""
    reasons: dict[str, list[str]] = defaultdict(list)
    hospitals: dict[str, str] = {}
    others = []
    for sentence in left_out:
        names = _SUBJECT.findall(sentence)
        if not names or " other NIfTI files" in sentence:
            others.append(sentence)
            continue
        subject = names[0].partition("-")[0].upper()
        reasons[subject].append(sentence)
        hospitals[subject] = max((hospital_of(f"{name}-") for name in names), key=len)
    rows = [
        {"subject": subject, "hospital": hospitals[subject], "state": "left out", "reason": "; ".join(sentences)}
        for subject, sentences in reasons.items()
    ]
    return rows, others


def write_subjects(rows: Sequence[Mapping[str, Any]], path: Path) -> None:
    """Write ``subjects.csv``, sorted; one of an earlier run is replaced: it tells of the folder as it is."""
    ordered = sorted(rows, key=lambda row: row["subject"])
    frame = pd.DataFrame(ordered, columns=COLUMNS)
    frame["slices"] = frame["slices"].astype("Int64")
    write_text(path, frame.to_csv(index=False, lineterminator="\n"))


def summary(rows: Sequence[Mapping[str, Any]], datalist: Datalist, path: Path) -> str:
    """The lists by hospital, and every subject that is in none."""
    hospital = {row["subject"]: row["hospital"] or "unknown" for row in rows}
    lines = [f"{path}: {sum(map(len, datalist.values()))} pairs"]
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
