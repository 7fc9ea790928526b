"""One subject of IXI: its pair aligned, cut and written beside a record of how.

A subject's folder gets its name when all is in it, and its record says of which files and settings it was made; what
was left by a run that was killed is so never taken for a subject.
"""

from __future__ import annotations

import json
import logging
import re
import threading
import time
import zlib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np

from ..data.layouts import stem
from ..errors import first_bundle_error
from ..outputs import atomic_folder
from .disk_space import check_room
from .pair import align_pair, check_likeness, packed

__all__ = ["COLUMNS", "RECORD", "hospital_of", "known_row", "prepare_subject", "prepared_files"]

RECORD = "prepared.json"
COLUMNS = """subject hospital list state slices registered shift_mm rotation_deg mutual_information_before
mutual_information_after likeness seconds reason""".split()
_FORMAT = 1  # count up when what is written changes


def prepare_subject(
    subject: str, t1: str, t2: str, output_dir: str, image_size: int = 256, slices: int = 100
) -> dict[str, Any]:
    """Prepare a subject, unless it is prepared already, and tell how it went; a mistake is told, not raised.

    For schedulers: all that comes and goes is plain, and it may be called again.

    Args:
        subject: as a datalist calls it.
        t1, t2: files, on any grids.
        output_dir: gets the folder that :func:`prepared_files` names.
        image_size: matrix of the slices: a larger one has its k-space cropped, a smaller one is padded.
        slices: how many, from the middle of the volume; where it has fewer, all.

    Returns:
        the columns of ``subjects.csv`` but ``list`` (:data:`COLUMNS`); ``state`` is ``prepared`` or ``failed``.
    """
    if row := known_row(t1, t2, output_dir, image_size, slices):
        return row
    row = {"subject": subject, "hospital": hospital_of(t2), "state": "failed"}
    with _warnings() as remarks:
        try:
            _prepare(row, t1, t2, output_dir, image_size, slices, remarks)
        except Exception as error:  # of whatever kind: it is this subject's alone
            row |= {"state": "failed", "reason": first_bundle_error(error) or f"{type(error).__name__}: {error}"}
    return row


def prepared_files(t2: str, output_dir: str | Path) -> tuple[Path, Path]:
    """T1 and T2 of a prepared subject, by its T2 file: ``IXI002-Guys-0828/IXI002-Guys-0828-T1.nii.gz``."""
    name = re.sub(r"[-_. ]T2$", "", stem(t2), flags=re.IGNORECASE)
    folder = Path(output_dir) / name
    return folder / f"{name}-T1.nii.gz", folder / f"{name}-T2.nii.gz"


def hospital_of(path: str) -> str:
    """``Guys`` of ``IXI002-Guys-0828-T2.nii.gz``; empty where the name has none."""
    found = re.match(r"IXI\d+-([A-Za-z]+)-", Path(path).name, re.IGNORECASE)
    return found[1] if found else ""


def known_row(t1: str, t2: str, output_dir: str | Path, image_size: int, slices: int) -> dict[str, Any] | None:
    """What was told of a subject that is there, whole and made of the same files with these settings; else None."""
    files = prepared_files(t2, output_dir)
    try:
        record = json.loads((files[0].parent / RECORD).read_text(encoding="utf-8"))
        same = record["made_of"] == _made_of(t1, t2, image_size, slices)
        return record["row"] if same and record["files"] == [_identity(file) for file in files] else None
    except (OSError, ValueError, KeyError, TypeError):
        return None


def _prepare(
    row: dict[str, Any], t1: str, t2: str, output_dir: str, image_size: int, slices: int, remarks: list[str]
) -> None:
    """Write the subject's folder; the row is filled as far as it goes."""
    begun, made_of = time.monotonic(), _made_of(t1, t2, image_size, slices)
    check_room(Path(output_dir), 4 * image_size**2 * slices, "A subject may take")  # two images of int16, not packed
    pair = align_pair(t1, t2, image_size, slices)
    row |= _numbers(pair.alignment) | {"slices": pair.t2.shape[-1]}
    row["likeness"] = round(check_likeness(pair), 3)
    if pair.depth < slices:
        remarks.append(f"has {pair.depth} slices, fewer than {slices}")
    files = prepared_files(t2, output_dir)
    contents = [packed(image, t2, pair.to_file) for image in pair[:2]]
    with atomic_folder(files[0].parent) as draft:
        for file, content in zip(files, contents):
            (draft / file.name).write_bytes(content)
        row |= {"state": "prepared", "seconds": round(time.monotonic() - begun, 1), "reason": "; ".join(remarks)}
        identities = [_identity(draft / file.name) for file in files]
        record = {"row": row, "made_of": made_of, "files": identities, "sources": [t1, t2], "alignment": pair.alignment}
        (draft / RECORD).write_text(json.dumps(record, indent=1), encoding="utf-8")


def _numbers(alignment: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "registered": alignment["registered"],
        "shift_mm": round(float(np.linalg.norm(alignment["translation_mm"])), 3),
        "rotation_deg": round(float(np.linalg.norm(alignment["rotation_degrees"])), 3),
        "mutual_information_before": round(alignment["mutual_information_before"], 4),
        "mutual_information_after": round(alignment["mutual_information_after"], 4),
    }


def _made_of(t1: str, t2: str, image_size: int, slices: int) -> dict[str, Any]:
    files = {"t1": _identity(Path(t1)), "t2": _identity(Path(t2))}
    return {"format": _FORMAT, "image_size": image_size, "slices": slices, **files}


def _identity(path: Path) -> list[Any]:
    """Name, bytes, and the checksum that a ``.gz`` ends with, of other files one of all: the same in every copy."""
    with path.open("rb") as file:
        size = file.seek(0, 2)
        file.seek(max(0, size - 8) if path.suffix.lower() == ".gz" else 0)
        return [path.name, size, zlib.crc32(file.read())]


class _Remarks(logging.Handler):
    """Keeps what one thread warns of: a scheduler may have several."""

    def __init__(self) -> None:
        super().__init__(logging.WARNING)
        self.lines: list[str] = []
        self.thread = threading.get_ident()

    def emit(self, record: logging.LogRecord) -> None:
        if record.thread == self.thread:
            self.lines.append(record.getMessage())


@contextmanager
def _warnings() -> Iterator[list[str]]:
    """What the bundle warns of meanwhile, to be told with the subject."""
    logger, handler = logging.getLogger("bundle"), _Remarks()
    logger.addHandler(handler)
    try:
        yield handler.lines
    finally:
        logger.removeHandler(handler)
