"""What is measured of a reconstruction, and what an evaluation leaves behind: metrics, tables, figures, volumes."""

from __future__ import annotations

from .figures import comparison_figure
from .handlers import ComparisonFigures, SaveReconstructions, SubjectTables, volume_metric
from .metrics import METRICS, PROFILES, VolumeMetric, nmse, psnr, ssim
from .postprocessing import ToFileGridd, ToMatrixGridd, UndoScaled, output_names, save_volumed

__all__ = [
    "METRICS",
    "PROFILES",
    "ComparisonFigures",
    "SaveReconstructions",
    "SubjectTables",
    "ToFileGridd",
    "ToMatrixGridd",
    "UndoScaled",
    "VolumeMetric",
    "comparison_figure",
    "nmse",
    "output_names",
    "psnr",
    "save_volumed",
    "ssim",
    "volume_metric",
]
