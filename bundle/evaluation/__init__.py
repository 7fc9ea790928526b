"""Metrics of reconstructed volumes, and what an evaluation or inference writes: tables, figures, volumes, reports."""

from __future__ import annotations

from .calibration import read_calibrations
from .coverage import Coverage
from .dicom_files import SaveSeries, check_series_outputs
from .figures import comparison_figure
from .guide_check import GuideCheckd
from .handlers import ComparisonFigures, SaveReconstructions, SubjectTables
from .inserted import InsertedStructures
from .integers import ToIntegersd
from .lesion_tables import LesionTables
from .metrics import METRICS, PROFILES, nmse, psnr, ssim
from .mirroring import MirroringInferer
from .postprocessing import ToFileGridd, ToMatrixGridd, UndoScaled, output_names, with_figures
from .progress import ProgressInferer
from .reports import ReconstructionReports
from .uncertainty import Uncertaintyd
from .uncertainty_figure import UncertaintyFigures
from .unguided_image import UnguidedImaged
from .volume_files import SaveVolumed
from .volume_metric import VolumeMetric, VolumeMetricHandler, volume_metrics

__all__ = [
    "METRICS",
    "PROFILES",
    "ComparisonFigures",
    "Coverage",
    "GuideCheckd",
    "InsertedStructures",
    "LesionTables",
    "MirroringInferer",
    "ProgressInferer",
    "ReconstructionReports",
    "SaveReconstructions",
    "SaveSeries",
    "SaveVolumed",
    "SubjectTables",
    "ToFileGridd",
    "ToIntegersd",
    "ToMatrixGridd",
    "UncertaintyFigures",
    "Uncertaintyd",
    "UndoScaled",
    "UnguidedImaged",
    "VolumeMetric",
    "VolumeMetricHandler",
    "check_series_outputs",
    "comparison_figure",
    "nmse",
    "output_names",
    "psnr",
    "read_calibrations",
    "ssim",
    "volume_metrics",
    "with_figures",
]
