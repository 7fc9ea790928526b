"""The XML header of ISMRMRD, as fastMRI, M4Raw and ISMRMRD files carry it, read leniently.

ISMRMRD's own parser refuses headers with numbers that carry units (``31.25KHz``); here a number is what the text begins
with, elements are found whatever their namespace's prefix, and what is missing is None. Entities and DTDs are refused.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from pathlib import Path
from xml.etree.ElementTree import Element, ParseError

from ..errors import BundleError
from .libraries import library

__all__ = ["Header", "cut_to_rows", "is_cut", "read_header"]

_NUMBER = re.compile(r"\s*([-+]?\d+(?:\.\d*)?(?:[eE][-+]?\d+)?)")
_PREFIX = re.compile(rb"(</?)[A-Za-z_][\w.-]*:(?=[A-Za-z_])")
_FITS = 0.98  # of the image's field of view: headers round
_SPACE = "{*}encoding/{*}%s/{*}%s/{*}%s"
_STEP = "{*}encoding/{*}encodingLimits/{*}kspace_encoding_step_1/{*}%s"


@dataclass(frozen=True)
class Header:
    """What a header says of a Cartesian scan; None for what it does not say. Lengths in mm.

    Attributes:
        encoded: matrix of k-space, readout, phase encoding, slice encoding.
        encoded_fov: field of view of the encoded matrix.
        recon: matrix of the image.
        recon_fov: field of view of the image.
        limits: first, last and central phase encoding step that was acquired, counted from 0.
        acceleration: of parallel imaging, along the phase encoding.
        trajectory: ``cartesian`` or another.
        calibration: mode of parallel imaging's calibration, ``embedded``, ``separate`` or another.
    """

    encoded: tuple[int, ...] | None = None
    encoded_fov: tuple[float, ...] | None = None
    recon: tuple[int, ...] | None = None
    recon_fov: tuple[float, ...] | None = None
    limits: tuple[int, int, int] | None = None
    acceleration: float | None = None
    trajectory: str | None = None
    calibration: str | None = None

    @property
    def padding(self) -> tuple[int, int] | None:
        """First column of k-space that was acquired by the encoding limits, and the one after the last."""
        if self.encoded is None or self.limits is None:
            return None
        first, last, centre = self.limits
        left = self.encoded[1] // 2 - centre
        return max(left + first, 0), left + last + 1


def read_header(text: bytes | str, path: Path) -> Header:
    """Read a header.

    Args:
        text: XML.
        path: the file that it is of, for messages.

    Raises:
        BundleError: it is no XML, or has entities.
    """
    root = _parsed(text.encode() if isinstance(text, str) else text, path)
    limits = [_number(root, _STEP % name) for name in ("minimum", "maximum", "center")]
    minimum, maximum, centre = (None if value is None else round(value) for value in limits)
    return Header(
        encoded=_whole(_triple(root, "encodedSpace", "matrixSize")),
        encoded_fov=_triple(root, "encodedSpace", "fieldOfView_mm"),
        recon=_whole(_triple(root, "reconSpace", "matrixSize")),
        recon_fov=_triple(root, "reconSpace", "fieldOfView_mm"),
        limits=None if maximum is None or centre is None else (minimum or 0, maximum, centre),
        acceleration=_number(root, "{*}encoding/{*}parallelImaging/{*}accelerationFactor/{*}kspace_encoding_step_1"),
        trajectory=_word(root, "{*}encoding/{*}trajectory"),
        calibration=_word(root, "{*}encoding/{*}parallelImaging/{*}calibrationMode"),
    )


def is_cut(header: Header, rows: int) -> bool:
    """Whether k-space of so many rows can be the header's without its readout oversampling: the image fits into it."""
    if header.encoded is None or rows >= header.encoded[0]:
        return False
    part = rows / header.encoded[0]
    fits = not header.encoded_fov or not header.recon_fov or header.encoded_fov[0] * part > _FITS * header.recon_fov[0]
    return fits and (part == 0.5 or (header.recon is not None and rows == header.recon[0]))


def cut_to_rows(header: Header, rows: int, path: Path) -> tuple[Header, list[str]]:
    """The header of k-space whose readout oversampling was removed: with its rows and their field of view.

    Args:
        header: as the file has it.
        rows: of the file's k-space.
        path: the file.

    Returns:
        header, and a remark where the rows are others.

    Raises:
        BundleError: the rows are fewer than the header's, and neither half of them nor the image's, or do not hold the
            image.
    """
    if header.encoded is None or rows == header.encoded[0]:
        return header, []
    whole = header.encoded[0]
    if rows > whole:
        return header, [f"{rows} rows, by its header {whole}: taken for the same field of view in smaller voxels"]
    if not is_cut(header, rows):
        raise BundleError(
            f"The k-space of {path} has {rows} rows, by its header {whole}, and what field of view they cover is not "
            "told; write the file with the header of its matrix."
        )
    field = header.encoded_fov and (header.encoded_fov[0] * rows / whole, *header.encoded_fov[1:])
    remark = f"{rows} rows of the header's {whole}: readout oversampling was removed, and the field of view cut with it"
    return replace(header, encoded=(rows, *header.encoded[1:]), encoded_fov=field), [remark]


def _parsed(text: bytes, path: Path) -> Element:
    parser = library("defusedxml.ElementTree")
    text = text.strip(b"\0 \r\n\t")
    try:
        try:
            return parser.fromstring(text)
        except ParseError as error:
            if "unbound prefix" not in str(error):
                raise
            return parser.fromstring(_PREFIX.sub(rb"\1", text))
    except ParseError as error:
        raise BundleError(f"The ISMRMRD header of {path} is no XML ({error}); write the file anew.") from error
    except ValueError as error:  # of defusedxml
        raise BundleError(f"The ISMRMRD header of {path} declares entities or a DTD, which are not read.") from error


def _number(root: Element, place: str) -> float | None:
    """What the text begins with; None where there is no such element, or no number."""
    found = _NUMBER.match(root.findtext(place) or "")
    return float(found[1]) if found else None


def _word(root: Element, place: str) -> str | None:
    return (root.findtext(place) or "").strip().lower() or None


def _triple(root: Element, space: str, what: str) -> tuple[float, ...] | None:
    values = [_number(root, _SPACE % (space, what, axis)) for axis in "xyz"]
    sound = [value for value in values if value is not None and value > 0]
    return tuple(sound) if len(sound) == 3 else None


def _whole(values: tuple[float, ...] | None) -> tuple[int, ...] | None:
    return None if values is None else tuple(map(round, values))
