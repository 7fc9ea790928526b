"""Reconstructed volumes as DICOM series, derived slice by slice from the T2 series; whole or not at all."""

from __future__ import annotations

import inspect
import os
import re
import warnings
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from ignite.engine import Events
from monai.data import MetaTensor
from monai.engines import SupervisedEvaluator

from ..data.dicom_folders import choose_series, needed_pydicom
from ..data.dicom_series import by_place
from ..data.prepared import output_stem
from ..errors import BundleError
from ..outputs import atomic_folder
from ..paths import path_of
from .dicom_headers import MODEL, derived, origin_of
from .reports import ReconstructionReports

__all__ = ["SaveSeries", "check_series_outputs", "check_series_output", "save_slice", "write_series"]

_NAME, _OUR_NAME = "IM{:04}.dcm", re.compile(r"IM\d{4,}\.dcm")
_MR_IMAGE = "1.2.840.10008.5.1.4.1.1.4"
_HIGHEST = 2**16 - 1  # that is stored
_COARSEST = 500  # stored units that the brightest voxel has at least


class SaveSeries:
    """Write each reconstruction as the DICOM series ``output_dir/<name>_recon``, see :func:`write_series`.

    Args:
        output_dir: made if need be.
        reports: of the reconstructions.
        key: of the volume ``(1, x, y, z)`` on T2's grid in the evaluator's output.
    """

    def __init__(self, output_dir: str, reports: ReconstructionReports, key: str = "pred") -> None:
        self.folder = path_of("output_dir", output_dir)
        self.reports = reports
        self.key = key

    def attach(self, engine: SupervisedEvaluator) -> None:
        """Called by the evaluator."""
        engine.add_event_handler(Events.ITERATION_COMPLETED, self._save)

    def _save(self, engine: SupervisedEvaluator) -> None:
        for item, output in zip(engine.state.batch, engine.state.output):
            report = self.reports.report_of(item)
            write_series(self.folder / report["reconstruction"], output[self.key], report)


def write_series(folder: Path, volume: MetaTensor, report: Mapping[str, Any]) -> None:
    """Write a volume as MR images that lie where the T2 slices lie, of the same patient and study, in a new series.

    Intensities are rounded to whole numbers of T2's units, negative ones to 0; where that would be coarse or too much
    for 16 bits, they are scaled, with a RescaleSlope. The T2 series is not changed.

    Args:
        folder: to make; an earlier one is replaced.
        volume: ``(1, x, y, z)`` on T2's grid.
        report: as :class:`ReconstructionReports` makes it, with ``t2_series`` among its files.

    Raises:
        BundleError: the T2 series was changed or removed meanwhile, or the folder cannot be written.
    """
    files, pydicom = report["files"], needed_pydicom()
    series = choose_series(files["t2"], files["t2_series"])
    headers, voxels = by_place(series), volume.cpu().numpy()[0]
    if voxels.shape != (headers[0].Columns, headers[0].Rows, len(headers)):
        raise BundleError(f"{series} was changed while its reconstruction was computed; run again.")
    guided = "t1_series" in files and "t1" in report["settings"]["visible"]
    guides = by_place(choose_series(files["t1"], files["t1_series"], "t1")) if guided else []
    unit = _unit(float(voxels.max()))
    origin = origin_of(report, headers[0].get("SeriesNumber"), guides, unit)
    stored = np.clip(np.rint(voxels / unit), 0, _HIGHEST).astype("<u2")
    with atomic_folder(folder) as scratch, warnings.catch_warnings(action="ignore"):
        for place, header in enumerate(headers):  # warnings are of values that the scanner wrote
            image = derived(pydicom.dcmread(header.filename, stop_before_pixels=True), origin)
            image.add_new("PixelData", "OW", stored[..., place].T.tobytes())
            save_slice(image, scratch / _NAME.format(place + 1))


def save_slice(image: Any, path: Path) -> None:
    """As a whole DICOM file, by pydicom 3, or by 2, which MONAI Label has."""
    if "enforce_file_format" in inspect.signature(image.save_as).parameters:
        image.save_as(path, enforce_file_format=True)
    else:
        image.is_little_endian, image.is_implicit_VR = True, False
        image.save_as(path, write_like_original=False)


def check_series_outputs(items: Sequence[Mapping], output_dir: str, postfix: str, output_format: str) -> None:
    """:func:`check_series_output` for what an inference writes, where that is DICOM.

    Args:
        items: of a datalist.
        output_dir: of the series.
        postfix: of their names.
        output_format: ``nifti`` or ``dicom``.
    """
    if output_format == "dicom":
        for item in items:
            check_series_output(path_of("output_dir", output_dir) / f"{output_stem(item)}_{postfix}", item)


def check_series_output(folder: Path, item: Mapping[str, str]) -> None:
    """Refuse a series that could not be written, or would get among others.

    Raises:
        BundleError: T2 is no series of MR images, the folder lies in an input's folder or holds anything else than an
            earlier reconstruction, or its name is a file's.
    """
    if "t2_series" not in item:
        raise BundleError(
            f"output_format dicom writes a series like that of T2, but T2 is no DICOM series: {item['t2']}; give the "
            "folder of one as t2, or leave output_format at nifti."
        )
    series = choose_series(item["t2"], item["t2_series"])
    if kinds := {str(header.get("SOPClassUID")) for header in series.headers} - {_MR_IMAGE}:
        name = needed_pydicom().uid.UID(min(kinds)).name
        raise BundleError(f"{series} is of {name}, not MR Image Storage; leave output_format at nifti.")
    for key in ("t1", "t2"):
        inside = os.path.realpath(item[key])
        if os.path.isdir(inside) and Path(os.path.realpath(folder)).is_relative_to(inside):
            raise BundleError(
                f"The series {folder} would lie in the folder of {key}, {item[key]}, and be read as part of it; give "
                "another output folder."
            )
    _check_replaceable(folder)


def _check_replaceable(folder: Path) -> None:
    if folder.is_file():
        raise BundleError(f"{folder}, where a DICOM series is to be written, is a file; give another output folder.")
    others = [path.name for path in folder.iterdir() if not _is_ours(path)] if folder.is_dir() else []
    if others:
        raise BundleError(
            f"{folder} holds other things than a reconstructed DICOM series, as {min(others)}, and is not replaced; "
            "give another output folder."
        )


def _is_ours(path: Path) -> bool:
    """Whether a file is a slice of an earlier reconstruction; scanners' exports have such names, too."""
    if not _OUR_NAME.fullmatch(path.name):
        return False
    pydicom = needed_pydicom()
    try:
        header = pydicom.dcmread(path, stop_before_pixels=True, specific_tags=["ContributingEquipmentSequence"])
        equipment = header.get("ContributingEquipmentSequence", ())
        return any(item.get("ManufacturerModelName") == MODEL for item in equipment)
    except Exception:  # pydicom has many kinds; what cannot be read is not known to be ours
        return False


def _unit(highest: float) -> float:
    """Intensity of one stored unit: 1 where the brightest voxel is then stored finely enough, and in 16 bits."""
    if _COARSEST <= highest <= _HIGHEST or highest <= 0:
        return 1.0
    return float(f"{highest / _HIGHEST:.6g}")
