"""Contrast, subject and session of a NIfTI file, from its name and folders.

The layouts, distinguished by names alone (``.nii`` and ``.nii.gz``, upper or lower case):

* IXI: ``IXI002-Guys-0828-T1.nii.gz`` and ``...-T2.nii.gz``, in one folder or two; the subject is ``IXI002``.
* BIDS: ``sub-01/[ses-1/]anat/sub-01[_ses-1][_acq-x][_run-1]_T1w.nii.gz``; the subject is ``sub-01``.
* One folder a subject: ``[dataset/]subject/[ses-1/]T1w.nii.gz``; a folder named by a date also counts as a session.
* Plain: ``name_T1.nii.gz`` beside ``name_T2.nii.gz``, or ``T1/name.nii.gz`` beside ``T2/name.nii.gz``.
"""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import NamedTuple

__all__ = ["NamedImage", "identify", "nifti_files", "stem"]

_SUFFIX = re.compile(r"\.nii(\.gz)?$", re.IGNORECASE)
_CONTRAST = re.compile(r"(?:^|[_\-. ])T([12])[wn]?$", re.IGNORECASE)
_SESSION = re.compile(r"^(?:(?:ses(?:sion)?|visit|timepoint|tp)[-_]?\w+|\d{4}-?\d\d-?\d\d)$", re.IGNORECASE)
_SESSION_IN_NAME = re.compile(r"[_-]((?:ses(?:sion)?|visit|timepoint|tp)[-_]?[a-z0-9]+)$", re.IGNORECASE)
_IXI = re.compile(r"^(IXI\d+)-", re.IGNORECASE)
_ENTITY = re.compile(r"(?:^|_)([a-z]+)-([^_]+)")


class NamedImage(NamedTuple):
    """One T1 or T2 file: ``key`` is (dataset folder, subject, session), entities are BIDS's without sub and ses."""

    path: Path
    contrast: str
    key: tuple[str, str, str]
    entities: dict[str, str]


def stem(path: str | os.PathLike[str]) -> str:
    """The name of a NIfTI file without its folders and its whole suffix, ``.nii`` or ``.nii.gz``, in any case."""
    return _SUFFIX.sub("", Path(path).name)


def nifti_files(root: Path) -> list[Path]:
    """All NIfTI files below root, sorted; hidden folders and BIDS derivatives are not entered."""
    files, entered = [], set()
    for folder, folders, names in os.walk(root, followlinks=True):
        if (real := os.path.realpath(folder)) in entered:  # a link back up would never end
            folders.clear()
            continue
        entered.add(real)
        folders[:] = sorted(name for name in folders if not name.startswith(".") and name != "derivatives")
        files += [Path(folder, name) for name in sorted(names) if _SUFFIX.search(name) and not name.startswith(".")]
    return files


def identify(path: Path) -> NamedImage | None:
    """Contrast, subject and session of a file by its name and folders; None if it is neither T1 nor T2."""
    name = stem(path)
    mark = _CONTRAST.search(name)
    label = name[: mark.start()] if mark else name
    mark = mark or _CONTRAST.search(path.parent.name)
    if not mark or re.search(r"flair|mask|post", label, re.IGNORECASE):
        return None
    # the folder that holds subjects: above contrast folders, BIDS's anat, and the session
    folder, session = path.parent, ""
    while folder.name == "anat" or _CONTRAST.search(folder.name) or _SESSION.match(folder.name):
        session = folder.name if _SESSION.match(folder.name) else session
        folder = folder.parent
    entities = dict(_ENTITY.findall(label)) if label.startswith("sub-") else {}
    if entities:
        subject, session = f"sub-{entities.pop('sub')}", f"ses-{entities['ses']}" if "ses" in entities else session
        entities.pop("ses", None)
        folder = folder.parent if folder.name == subject else folder
    elif label:
        in_name = _SESSION_IN_NAME.search(label)
        subject = label[: in_name.start()] if in_name else label
        session = in_name[1] if in_name else session
        folder = folder.parent if folder.name == subject else folder
    else:
        subject, folder = folder.name, folder.parent
    if ixi := _IXI.match(subject):
        # one name in the whole project, whichever folder a contrast lies in
        subject, folder = ixi[1].upper(), Path()
    return NamedImage(path, f"T{mark[1]}", (str(folder), subject, session), entities)
