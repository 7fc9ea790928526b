"""What a reconstructed DICOM slice says of itself: the header of its T2 slice, without what is no longer true."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from ..data.dicom_folders import needed_pydicom
from ..settings.shipped import CONFIGS

__all__ = ["DESCRIPTION", "MODEL", "Origin", "derived", "origin_of"]

MODEL = "MANet bundle"  # what made a series
DESCRIPTION = "Research reconstruction"  # with which the description of one begins

# of the stored values or of the files that held them; private tags, overlays and curves go as well
_DROPPED = """SmallestImagePixelValue LargestImagePixelValue SmallestPixelValueInSeries LargestPixelValueInSeries
PixelPaddingValue PixelPaddingRangeLimit RescaleSlope RescaleIntercept RescaleType RealWorldValueMappingSequence
ModalityLUTSequence VOILUTSequence IconImageSequence DigitalSignaturesSequence MACParametersSequence
EncryptedAttributesSequence InstanceCreatorUID DerivationCodeSequence SourceImageSequence""".split()
_GRAPHICS = 0x5000, 0x50FF, 0x6000, 0x60FF  # groups
# type 2: to be there, if only empty; removed by some programs that make files anonymous
_MAY_BE_EMPTY = """PatientName PatientID PatientBirthDate PatientSex StudyDate StudyTime ReferringPhysicianName StudyID
AccessionNumber Manufacturer PositionReferenceIndicator InstanceNumber""".split()
_STORED = {
    "SamplesPerPixel": 1,
    "PhotometricInterpretation": "MONOCHROME2",
    "BitsAllocated": 16,
    "BitsStored": 16,
    "HighBit": 15,
    "PixelRepresentation": 0,
}
_PROCESSING = "109102", "DCM", "Processing Equipment"
_SOURCE = "121322", "DCM", "Source image for image processing operation"
_LARGEST_NUMBER = 2**31 - 1
_NOISE = {  # noise_unit -> how it is told
    "mean": "noise {:g} of the mean voxel",
    "foreground_mean": "noise {:g} of the mean foreground voxel",
    "snr_db": "signal-to-noise ratio {:g} dB",
}


@dataclass(frozen=True)
class Origin:
    """What all slices of a reconstructed series share.

    Attributes:
        series: keyword -> value, of the new series and of how it was made.
        equipment: what made it, an item of ContributingEquipmentSequence.
        guides: the T1 slices that are named as sources, in their order.
        unit: intensity of one stored unit.
    """

    series: Mapping[str, Any]
    equipment: Any
    guides: Sequence[Any]
    unit: float


def origin_of(report: Mapping[str, Any], number: int | None, guides: Sequence[Any], unit: float) -> Origin:
    """What the slices of a series are going to share; its UID is new at every call.

    Args:
        report: as :class:`~bundle.evaluation.ReconstructionReports` makes it.
        number: of the T2 series.
        guides: headers of the T1 series; none where it was no series, or was hidden.
        unit: intensity of one stored unit.
    """
    now, uid = datetime.now(), needed_pydicom().uid.generate_uid(prefix=None)
    day, time = now.strftime("%Y%m%d"), now.strftime("%H%M%S.%f")
    weights = report["weights"] or {}
    short = f"weights {weights['sha256'][:8]}" if weights else "no weights"
    description = f"{DESCRIPTION}, undersampled {report['sampled_acceleration']:.2f}x, {short}"
    series = {
        "SeriesInstanceUID": uid,
        "SeriesNumber": min(100 * abs(number or 0) + 1, _LARGEST_NUMBER),
        "SeriesDescription": description[:64],
        "DerivationDescription": _derivation(report, weights)[:1024],
        **{f"{what}Date": day for what in ("InstanceCreation", "Series", "Content")},
        **{f"{what}Time": time for what in ("InstanceCreation", "Series", "Content")},
    }
    equipment = _item(
        PurposeOfReferenceCodeSequence=[_code(*_PROCESSING)],
        Manufacturer="MANet bundle contributors",
        ManufacturerModelName=MODEL,
        SoftwareVersions=_version(),
        ContributionDateTime=day + time,
        ContributionDescription="Research reconstruction from undersampled data",
    )
    return Origin(series, equipment, guides, unit)


def derived(source: Any, origin: Origin) -> Any:
    """The header of a reconstructed slice, without voxels, to be stored as explicit little endian.

    Args:
        source: the whole header of its T2 slice, which may be changed.
        origin: what the series shares.
    """
    pydicom = needed_pydicom()
    source = _of_any_order(source)
    slices = [source, *origin.guides]
    sources = [_reference(one, "YES" if one is source else "NO") for one in slices]
    kind = [*(source.get("ImageType") or ())][2:]
    _drop(source)
    _rescale(source, origin.unit)
    equipment = [*source.get("ContributingEquipmentSequence", ()), origin.equipment]
    own = {
        "SOPInstanceUID": pydicom.uid.generate_uid(prefix=None),
        "ImageType": ["DERIVED", "PRIMARY", *(kind or ["OTHER"])],
        "SourceImageSequence": sources,
        "ContributingEquipmentSequence": equipment,
    }
    for keyword, value in {**_STORED, **origin.series, **own}.items():
        setattr(source, keyword, value)
    for keyword in _MAY_BE_EMPTY + (["Laterality"] if not source.get("BodyPartExamined") else []):
        if keyword not in source:
            setattr(source, keyword, None)
    source.file_meta = pydicom.dataset.FileMetaDataset()
    source.file_meta.TransferSyntaxUID = pydicom.uid.ExplicitVRLittleEndian
    return source


def _derivation(report: Mapping[str, Any], weights: Mapping[str, Any]) -> str:
    settings, files = report["settings"], report["files"]
    guide = (
        f"T1 was {report['alignment'].get('note', 'not registered')}" if "t1" in settings["visible"] else "T1 hidden"
    )
    if "t1_series" not in files and "t1" in settings["visible"]:
        guide += ", and no DICOM series"
    made = (
        f"{weights['network']} with weights of SHA-256 {weights['sha256']}" if weights else "a network without weights"
    )
    return (
        "Research reconstruction from undersampled data, not for clinical use. From the magnitude images of the source "
        f"series a scan was simulated at {report['sampled_acceleration']:.2f}x acceleration (pattern "
        f"{settings['pattern']}, {_simulated(settings)}) and reconstructed by MANet bundle {_version()}, {made}. "
        f"{guide}."
    )


def _simulated(settings: Mapping[str, Any]) -> str:
    """Noise and phase of the scan."""
    noise = _NOISE[settings["noise_unit"]].format(settings["noise_level"])
    return noise + (f", smooth phase of {settings['phase_level']:g} rad" if settings["phase_level"] else "")


def _of_any_order(source: Any) -> Any:
    """A header, without the order of bytes in which it was read: pydicom stores none of big endian as little endian."""
    pydicom = needed_pydicom()
    if source.file_meta.TransferSyntaxUID != pydicom.uid.ExplicitVRBigEndian:
        return source
    for _ in source.iterall():  # decoded by that
        pass
    return pydicom.Dataset({element.tag: element for element in source})


def _drop(source: Any) -> None:
    source.remove_private_tags()
    for keyword in _DROPPED:
        if keyword in source:
            delattr(source, keyword)
    first, last, also, end = _GRAPHICS
    for tag in [tag for tag in source.keys() if first <= tag.group <= last or also <= tag.group <= end]:
        del source[tag]


def _rescale(source: Any, unit: float) -> None:
    """Tell the unit where it is not 1; the window is one of intensities, as readers apply it after the slope."""
    if unit != 1:
        source.RescaleSlope, source.RescaleIntercept, source.RescaleType = f"{unit:.6g}", "0", "US"


def _reference(slice_: Any, same_place: str) -> Any:
    return _item(
        ReferencedSOPClassUID=slice_.SOPClassUID,
        ReferencedSOPInstanceUID=slice_.SOPInstanceUID,
        SpatialLocationsPreserved=same_place,
        PurposeOfReferenceCodeSequence=[_code(*_SOURCE)],
    )


def _code(value: str, scheme: str, meaning: str) -> Any:
    return _item(CodeValue=value, CodingSchemeDesignator=scheme, CodeMeaning=meaning)


def _item(**values: Any) -> Any:
    item = needed_pydicom().dataset.Dataset()
    for keyword, value in values.items():
        setattr(item, keyword, value)
    return item


def _version() -> str:
    return str(json.loads((CONFIGS / "metadata.json").read_text(encoding="utf-8"))["version"])
