"""The series of a study in a DICOMweb store: which is a T1 and which a T2 by its description, and the T1 of a T2."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ..data.dicom_folders import needed_pydicom
from ..data.nifti_files import some
from ..errors import BundleError
from ..evaluation.dicom_headers import DESCRIPTION

__all__ = ["FIELDS", "StoredSeries", "t1_of"]

FIELDS = """StudyInstanceUID SeriesInstanceUID SeriesNumber SeriesDescription ProtocolName Modality
NumberOfSeriesRelatedInstances""".split()
_MOST_NAMED = 30


def _word(parts: str) -> re.Pattern[str]:
    return re.compile(rf"(?<![a-z0-9])(?:{parts})(?![a-z0-9])", re.IGNORECASE)


# Philips has a letter before it (sT1W_3D_TFE); the sequence may follow at once (T2TSE)
_WEIGHTED = r"(?<![a-z0-9])[a-z]?t{}(?:w|wi|n)?(?![a-z]?\d|\*|[ _-]?star|[ _-]?map|[ _-]?rho)"
_T1 = re.compile(_WEIGHTED.format(1) + r"|mp-?rage|(?<![a-z0-9])(?:bravo|f?spgr)(?![a-z0-9])", re.IGNORECASE)
_T2 = re.compile(_WEIGHTED.format(2), re.IGNORECASE)
_ANY = re.compile(r"t[12](?!\d)", re.IGNORECASE)
_NO_T2 = re.compile(r"flair|dark[ _-]?fl|tirm|(?<![a-z0-9])stir", re.IGNORECASE)
_AFTER_AGENT = re.compile(
    r"post(?!erior)|gadolin|gadov|dotarem|contrast|\+ ?(?:c|gd|gad|km)(?![a-z])|"
    r"(?<![a-z0-9])(?:gad|gado|gd|km|ce)(?![a-z])",
    re.IGNORECASE,
)
_OTHER = _word(
    r"(?:[a-z0-9]*)(?:hemo|swi|dwi|dti|diff|adc|bold|fmri|asl|perf|dsc|dce|mra|tof|angio|mapping|maps?|scout|survey|loc|"
    r"localizers?|localisers?|masks?|seg|segmentation)"
)


@dataclass(frozen=True)
class StoredSeries:
    """A series as a store lists it.

    Attributes:
        study: Study Instance UID.
        uid: Series Instance UID.
        number: empty where the store tells none.
        description: SeriesDescription.
        protocol: ProtocolName.
        modality: MR, CT, ...
        images: how many; 0 where the store does not tell.
    """

    study: str
    uid: str
    number: str = ""
    description: str = ""
    protocol: str = ""
    modality: str = "MR"
    images: int = 0

    @classmethod
    def listed(cls, answer: Mapping[str, Any]) -> StoredSeries:
        """From the JSON that a store answers a search with."""
        header = needed_pydicom().dataset.Dataset.from_json(dict(answer))
        study, uid, number, description, protocol, modality = (
            "" if header.get(name) is None else str(header.get(name)) for name in FIELDS[:6]
        )
        images = int(header.get("NumberOfSeriesRelatedInstances") or 0)
        return cls(study, uid, number, description, protocol, modality, images)

    @property
    def contrast(self) -> str:
        """``T1`` or ``T2`` by description, or by the protocol where that says nothing; empty for all else."""
        if self.modality != "MR" or self.description.startswith(DESCRIPTION):
            return ""
        return _contrast(self.description) if _says(self.description) else _contrast(self.protocol)

    def told(self, by_uid: bool = False) -> str:
        """As one of a list."""
        images = f" ({self.images} image{'s' * (self.images != 1)})" if self.images else ""
        return f"{self.uid if by_uid or not self.number else self.number} {self.description!r}{images}"

    def __str__(self) -> str:
        """As the subject of a sentence."""
        return f"the series {self.told()}"


def t1_of(t2: StoredSeries, study: Iterable[StoredSeries], asked: Any = None) -> StoredSeries:
    """The T1 that a T2 is reconstructed with.

    Args:
        t2: of the study.
        study: all its series.
        asked: number or UID of the T1; None to go by descriptions.

    Raises:
        BundleError: there is none, or there are several; the series are listed.
    """
    ordered = sorted(study, key=lambda one: (one.number.zfill(12), one.uid))  # a store has no order
    others = [one for one in ordered if one.uid != t2.uid]
    if asked not in (None, ""):
        return _asked(t2, others, str(asked))
    if t2.contrast == "T1":
        raise BundleError(f"In this study {t2} is a T1 by its description; name the T2, or give its T1 as t1.")
    found = [one for one in others if one.contrast == "T1"]
    if len(found) == 1:
        return found[0]
    told = _told(found or others)
    if found:
        raise BundleError(
            f"The study of {t2} holds {len(found)} T1 series: {told}; choose one by its number or UID with t1."
        )
    raise BundleError(
        f"The study of {t2} holds no T1 by its description, but {told}; give the T1 by its number or UID as t1."
    )


def _asked(t2: StoredSeries, others: Sequence[StoredSeries], asked: str) -> StoredSeries:
    found = [one for one in others if asked in (one.uid, one.number)]
    if len(found) == 1:
        return found[0]
    if found:
        raise BundleError(
            f"The study of {t2} holds {len(found)} series {asked}: {_told(found, by_uid=True)}; give the UID as t1."
        )
    raise BundleError(f"The study of {t2} holds no other series {asked}, which t1 asks for, but {_told(others)}.")


def _told(series: Sequence[StoredSeries], by_uid: bool = False) -> str:
    return some((one.told(by_uid) for one in series), _MOST_NAMED) or "no other series"


def _says(text: str) -> bool:
    return any(pattern.search(text) for pattern in (_ANY, _T1, _NO_T2, _AFTER_AGENT, _OTHER))


def _contrast(text: str) -> str:
    t1, t2 = bool(_T1.search(text)), bool(_T2.search(text))
    if t1 == t2 or _OTHER.search(text) or _AFTER_AGENT.search(text) or (t2 and _NO_T2.search(text)):
        return ""
    return "T1" if t1 else "T2"
