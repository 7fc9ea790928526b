"""The DICOM series in a folder and the folders below it: listed, and one of them chosen."""

from __future__ import annotations

import warnings
from collections import Counter, defaultdict
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..counted import counted
from ..errors import BundleError
from ..paths import expanded
from .folders import folders_below
from .nifti_files import some

__all__ = ["Series", "choose_series", "find_series", "is_dicom", "needed_pydicom"]

_MARK = 128, b"DICM"  # where it stands in a file, and what it is
_TAGS = """SOPClassUID SOPInstanceUID SeriesInstanceUID SeriesNumber SeriesDescription EchoTime ImageType Rows Columns
NumberOfFrames SamplesPerPixel PhotometricInterpretation ImageOrientationPatient ImagePositionPatient PixelSpacing
SliceThickness RescaleSlope RescaleIntercept""".split()
_OF_MR = {"1.2.840.10008.5.1.4.1.1.4", "1.2.840.10008.5.1.4.1.1.4.1"}  # images with one slice a file, with several
_MOST_NAMED = 30


@dataclass(frozen=True)
class Series:
    """The images of a series; of one that holds several echoes, those of one.

    Attributes:
        folder: where it was found.
        name: its number; with ``-1``, ``-2``, ... where several have that number, and its UID where it has none.
        uid: Series Instance UID.
        key: what chooses it for certain: the UID, with the echo's place where several have that.
        description: as the scanner has it.
        echo: its echo time where the series has several, ms.
        headers: one an image, without voxels; ``filename`` is its file.
    """

    folder: Path
    name: str
    uid: str
    key: str
    description: str
    echo: str
    headers: tuple[Any, ...]

    @property
    def names(self) -> tuple[str, ...]:
        """What it may be asked for by."""
        return self.name, self.name.partition("-")[0], self.uid, self.key

    def __str__(self) -> str:
        """As the subject of a sentence."""
        return f"{self.folder} (DICOM series {self.name} {self.description!r})"

    def told(self) -> str:
        """As one of a list."""
        frames = sum(int(header.get("NumberOfFrames") or 1) for header in self.headers)
        echo = f"echo time {self.echo} ms, " if self.echo else ""
        return f"{self.name} {self.description!r} ({echo}{frames} slice{'s' * (frames != 1)})"


def choose_series(folder: str | Path, choice: int | str | None = None, role: str = "t2") -> Series:
    """The series of a folder, or that of several which was asked for.

    Args:
        folder: with files of one DICOM image each, in it or below.
        choice: a series' number, name or UID; None where there is one only.
        role: ``t1`` or ``t2``, for the sentence; empty where the choice is called ``series`` alone.

    Raises:
        BundleError: pydicom is not installed; the folder holds no image, several series and no choice was made, or
            none that was asked for.
    """
    folder = expanded(folder)
    found = find_series(folder)
    wanted = [one for one in found if choice is None or str(choice) in one.names]
    if len(wanted) == 1:
        return wanted[0]
    option = f"{role}_series".lstrip("_")
    told = some((one.told() for one in wanted or found), _MOST_NAMED)
    if not wanted:
        raise BundleError(f"{folder} holds no DICOM series {choice}, which {option} asks for, but {told}.")
    raise BundleError(
        f"{folder} holds {len(wanted)} DICOM series: {told}; choose one by its number or UID with {option}, as "
        f"--{option} {wanted[0].name} on the command line."
    )


def find_series(folder: Path) -> list[Series]:
    """All series of images in a folder and below, by their numbers, each echo for itself.

    Raises:
        BundleError: there is none, or a DICOM file is damaged.
    """
    groups: dict[tuple[str, str], list[Any]] = defaultdict(list)
    for header in _headers(folder):
        groups[str(header.SeriesInstanceUID), _echo(header)].append(header)
    ordered = sorted(
        groups.items(), key=lambda group: (_number(group[1][0]).zfill(12), group[0][0], float(group[0][1] or 0))
    )
    bases = [_number(headers[0]) or uid for (uid, _), headers in ordered]
    series = []
    for place, ((uid, echo), headers) in enumerate(ordered):
        base = bases[place]
        name = base if bases.count(base) == 1 else f"{base}-{bases[: place + 1].count(base)}"
        echoes = Counter(other for other, _ in groups)[uid]
        description = str(headers[0].get("SeriesDescription") or "")
        key = uid if echoes == 1 else f"{uid}-{[one for one, _ in groups][: place + 1].count(uid)}"
        series.append(Series(folder, name, uid, key, description, echo if echoes > 1 else "", tuple(headers)))
    return series


def is_dicom(path: Path) -> bool:
    """Whether a file begins as DICOM files do; OSError where it cannot be opened."""
    with path.open("rb") as file:
        return file.read(_MARK[0] + len(_MARK[1]))[_MARK[0] :] == _MARK[1]


def needed_pydicom() -> Any:
    """The package; BundleError where it is not installed."""
    try:
        import pydicom
    except ImportError as error:
        raise BundleError(
            "DICOM series are read and written with pydicom, which cannot be found: pip install pydicom, or give "
            "NIfTI files."
        ) from error
    return pydicom


def _headers(folder: Path) -> Iterator[Any]:
    """Those of the images, each once."""
    needed_pydicom()
    seen, others = set(), 0
    for path in (place / name for place, _, names in folders_below(folder) for name in names):
        header = _header(path)
        if header is None:
            others += 1
            continue
        image = str(header.get("SOPInstanceUID")), str(header.get("ImagePositionPatient"))
        if image not in seen:  # not a copy
            seen.add(image)
            yield header
    if not seen:
        raise BundleError(
            f"{folder} is a folder without a DICOM image ({counted(others, 'other file')}); expected a NIfTI file "
            "(.nii or .nii.gz) or the folder of a DICOM series, whose files have the letters DICM after 128 bytes."
        )


def _header(path: Path) -> Any | None:
    """What stands before the voxels; None for what is no DICOM file, or holds no image, as a DICOMDIR or a report."""
    pydicom = needed_pydicom()
    try:
        if not is_dicom(path):
            return None
        with warnings.catch_warnings(action="ignore"):  # of values that are no matter here
            header = pydicom.dcmread(path, stop_before_pixels=True, specific_tags=_TAGS)
            whole = "Rows" in header and "Columns" in header
            kind = header.file_meta.get("MediaStorageSOPClassUID")
            int(header.get("NumberOfFrames") or 1)
    except OSError as error:
        raise BundleError(f"{path} cannot be read ({error.strerror or error}).") from error
    except Exception as error:  # pydicom has many kinds for one and the same mistake
        raise BundleError(f"{path} is a damaged DICOM file; copy it anew, or take it away.") from error
    if not whole and (kind is None or kind in _OF_MR):
        raise BundleError(f"{path} is a damaged DICOM file, which ends within its header; copy it anew.")
    if whole and not header.get("SeriesInstanceUID"):
        raise BundleError(
            f"{path} has no SeriesInstanceUID, by which images belong together; write it anew with one, or "
            "convert the series to NIfTI with dcm2niix."
        )
    return header if whole else None


def _number(header: Any) -> str:
    return "" if header.get("SeriesNumber") is None else str(header.SeriesNumber)


def _echo(header: Any) -> str:
    """Empty where it is unknown, or no single number."""
    with suppress(TypeError, ValueError):
        return f"{float(header.get('EchoTime')):g}"
    return ""
