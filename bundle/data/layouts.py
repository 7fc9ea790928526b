"""Contrast, subject and session of a NIfTI file, from its name and folders.

The layouts, distinguished by names alone (``.nii`` and ``.nii.gz``, upper or lower case):

* IXI: ``IXI002-Guys-0828-T1.nii.gz`` and ``...-T2.nii.gz``, in one folder or two; the subject is ``IXI002``.
* BIDS: ``sub-01/[ses-1/]anat/sub-01[_ses-1][_acq-x][_run-1]_T1w.nii.gz``; the subject is ``sub-01``.
* One folder a subject: ``[dataset/]subject/[ses-1/]T1w.nii.gz``; a folder named by a date, or ``baseline``,
  ``followup``, ``pre``, ``post`` and the like, also counts as a session, and so do such ends of a name.
* Plain: ``name_T1.nii.gz`` beside ``name_T2.nii.gz``, or ``T1/name.nii.gz`` beside ``T2/name.nii.gz``.

Words of processing (``_brain``, ``desc-``, ``space-``, a folder ``fmriprep``) are no part of a subject's name: they
tell that an image is a copy of another one.
"""

from __future__ import annotations

import os
import re
import unicodedata
from pathlib import Path
from typing import NamedTuple

__all__ = ["NamedImage", "identify", "is_visit", "stem"]


def _whole(words: str) -> re.Pattern[str]:
    return re.compile(rf"^(?:{words})$", re.IGNORECASE)


_SEPARATOR = r"[_\-. ]"
_SUFFIX = re.compile(r"\.nii(\.gz)?$", re.IGNORECASE)
_CONTRAST = re.compile(rf"(?:^|{_SEPARATOR})T([12])[wn]?$", re.IGNORECASE)
_SESSION_WORD = r"(?:ses|session|visit|timepoint|tp)(?:[-_][\w+]+|\d\w*)"
_SESSION = _whole(_SESSION_WORD)
_VISIT_WORD = (  # a date, a stage or a time after the first; of a folder that a person chose it says nothing
    r"(?:19|20)\d\d-?(?:0[1-9]|1[0-2])-?(?:0[1-9]|[12]\d|3[01])(?:[_ T]\d\d[\d_:.-]*)?"
    r"|(?:baseline|screening|pre-?op|post-?op|pre|post|before|after)\d?|bl|sc|(?:follow-?up|fu)[-_]?\d*d?"
    r"|(?:year|month|week|day)[-_]?\d+(?:[-_.]\d+)*|d\d{4}"
)
_VISIT = _whole(_VISIT_WORD)
_SESSION_IN_NAME = re.compile(rf"[_-]({_SESSION_WORD}|{_VISIT_WORD})$", re.IGNORECASE)
_IXI = re.compile(r"^(IXI\d+)(?:-|$)", re.IGNORECASE)
_ENTITY = re.compile(r"(?:^|_)([a-z]+)-([^_]+)")
_OTHER_IMAGE = re.compile(rf"flair|(?:^|{_SEPARATOR})post(?!erior)|post(?:$|{_SEPARATOR})", re.IGNORECASE)
_OTHER = "FLAIR or after a contrast agent by name"
_LABELS = re.compile(
    rf"mask|(?:^|{_SEPARATOR})(?:d?seg|probseg|segmentation|labels?|labelmap|lesions?|rois?|aseg|aparc|parc|pve|atlas)"
    rf"(?:$|{_SEPARATOR})",
    re.IGNORECASE,
)
_STEP = (
    r"brain|bet|skullstripped|stripped|n4|biascorr|restore|preproc(?:essed)?|reg|registered|coreg|warped|defaced|mni"
)
_STEPS = re.compile(rf"(?<=.){_SEPARATOR}(?:{_STEP})(?=$|{_SEPARATOR})", re.IGNORECASE)
_GENERIC = _whole(rf"(?:{_STEP}|anat|head|mri?|scan|image|img|struct(?:ural)?|orig|native)")  # names of no subject
# folders that hold the people of the folder above once more, as they came or processed
_RAW = _whole(r"anat|raw(?:data)?|bids|nifti|nii|unprocessed")
_PROCESSED = _whole(r"derivatives|sourcedata|[fs]mriprep|freesurfer|preproc(?:essed|essing)?|processed|bet|mni")


class NamedImage(NamedTuple):
    """One T1 or T2 file.

    ``key`` is (folder of the dataset, subject, session), the folder relative to the root and without words of
    processing; entities are BIDS's without sub, ses and ``part-mag``; ``processed`` tells that it is a copy.
    """

    path: Path
    contrast: str
    key: tuple[str, str, str]
    entities: dict[str, str]
    processed: bool


def stem(path: str | os.PathLike[str]) -> str:
    """The name of a NIfTI file without its folders and its whole suffix, ``.nii`` or ``.nii.gz``, in any case."""
    return _SUFFIX.sub("", Path(path).name)


def is_visit(session: str) -> bool:
    """Whether a session is one by a date or a word, as ``baseline``, that some may give to people."""
    return bool(_VISIT.match(session))


def identify(path: Path, root: Path) -> NamedImage | str:
    """Contrast, subject and session of a file below ``root`` by its name and folders, or why it is no image of ours."""
    name = unicodedata.normalize("NFC", stem(path))
    bare = _STEPS.sub("", name) if not name.startswith("sub-") else name
    mark = _CONTRAST.search(bare)
    label = bare[: mark.start()] if mark else bare
    if not mark and path.parent != root:
        mark = _CONTRAST.search(path.parent.name)
    if not mark:
        return "neither T1 nor T2 by name"
    if _LABELS.search(label):
        return "label maps by name"
    if _OTHER_IMAGE.search(label):
        return _OTHER
    entities = dict(_ENTITY.findall(label)) if label.startswith("sub-") else {}
    if "ce" in entities:
        return _OTHER
    if entities.pop("part", "mag") != "mag":
        return "phase, real or imaginary parts by name"
    folder, session, processed = _holder(path.parent, root)
    home, subject, in_name = _subject(label, entities, folder, root)
    kept = [part for part in home if not (_RAW.match(part) or _PROCESSED.match(part))]
    processed = processed or bare != name or any(_PROCESSED.match(part) for part in home)
    return NamedImage(
        path,
        f"T{mark[1]}",
        ("/".join(kept), subject, in_name or session),
        entities,
        processed or not entities.keys().isdisjoint({"desc", "space"}),
    )


def _holder(folder: Path, root: Path) -> tuple[Path, str, bool]:
    """The folder that holds subjects or is one: above contrast, session and copies; the session; whether it is a copy.

    The root itself was chosen by a person: a date or contrast in its name says nothing of what is in it.
    """
    session, processed = "", False
    while True:
        name, below = folder.name, root in folder.parents
        if _SESSION.match(name) or (below and _VISIT.match(name)):
            session = session or name
        elif below and _PROCESSED.match(name):
            processed = True
        elif not (name == "anat" or (below and (_CONTRAST.search(name) or _RAW.match(name)))):
            return folder, session, processed
        folder = folder.parent


def _subject(label: str, entities: dict[str, str], folder: Path, root: Path) -> tuple[tuple[str, ...], str, str]:
    """The dataset's folder, relative to root; the subject; and the session that the name has. Entities lose both."""
    own, name, session = unicodedata.normalize("NFC", folder.name), label, ""
    if "sub" in entities:
        subject = f"sub-{entities.pop('sub')}"
        session = f"ses-{entities.pop('ses')}" if "ses" in entities else ""
    else:
        if all(_GENERIC.match(word) for word in re.split(_SEPARATOR, label)) and folder != root or not label:
            name = own
        in_name = _SESSION_IN_NAME.search(name) if name == label or folder != root else None
        subject, session = (name[: in_name.start()], in_name[1]) if in_name else (name, "")
    above = folder.parent if own in (subject, name) else folder
    if ixi := _IXI.match(subject):
        # one name in the whole project, whichever folder a contrast lies in
        return (), ixi[1].upper(), session
    return (above.relative_to(root).parts if above.is_relative_to(root) else ()), subject, session
