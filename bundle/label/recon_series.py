"""A server's reconstruction as a DICOM series, beside the folders that the T2 and T1 series lie in meanwhile."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from monai.data import MetaTensor

from ..acquisition.masks import accelerations
from ..data.dicom_folders import choose_series
from ..errors import BundleError
from ..evaluation.dicom_files import check_series_output, write_series
from ..settings import check_values

__all__ = ["TOLD", "check_series_asked", "check_series_possible", "recon_folder", "write_recon_series"]

TOLD = "visible pattern noise_level noise_unit phase_level".split()  # settings that a series tells of


def recon_folder(t2: str | Path) -> Path:
    """Where the series goes that is reconstructed from that in the folder ``t2``."""
    return Path(t2).parent / "recon"


def check_series_asked(request: Mapping[str, Any]) -> bool:
    """Whether a request asks for a series.

    Raises:
        BundleError: ``output_format`` is none, or does not go with ``result_dtype``.
    """
    asked = request.get("output_format") or "nifti"
    check_values({"output_format": asked}, expressions=False)
    if asked == "dicom" and request.get("result_dtype") not in (None, "", "float32"):
        raise BundleError(
            "A DICOM series has whole numbers of its own: with output_format dicom leave out result_dtype."
        )
    return bool(asked == "dicom")


def check_series_possible(t1: Path, t2: Path, choice: Any = None) -> None:
    """Refuse, before anything is computed, a T2 that no series can be derived from.

    Raises:
        BundleError: as :func:`~bundle.evaluation.dicom_files.check_series_output` does.
    """
    series = choose_series(t2, choice)
    check_series_output(recon_folder(t2), {"t1": str(t1), "t2": str(t2), "t2_series": series.key})


def write_recon_series(data: Mapping[str, Any], settings: Mapping[str, Any], weights: Mapping[str, Any]) -> None:
    """Write the volume of an inference to :func:`recon_folder`.

    Args:
        data: ``pred`` is the volume ``(x, y, z)`` on T2's grid, ``files`` has the folders and series.
        settings: at least :data:`TOLD`.
        weights: their record.
    """
    report = {
        "files": data["files"],
        "settings": settings,
        "alignment": data["alignment"],
        "weights": weights,
        **accelerations(data),
    }
    write_series(recon_folder(data["files"]["t2"]), MetaTensor(torch.as_tensor(data["pred"])[None]), report)
