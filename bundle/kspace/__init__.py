"""Raw k-space of scanners: read to one record, coils combined, told what was found."""

from __future__ import annotations

from .coil_acquisition import CoilAcquisition
from .coils import combine, estimate_maps
from .datalists import fastmri_datalist, m4raw_datalist
from .datasets import CropToImaged, RawDataset, raw_items
from .images import ReadScand, read_image
from .reading import is_raw, read_kspace
from .scan import RawScan
from .simulated_coils import SimulatedCoils

__all__ = [
    "CoilAcquisition",
    "CropToImaged",
    "RawDataset",
    "RawScan",
    "ReadScand",
    "SimulatedCoils",
    "combine",
    "estimate_maps",
    "fastmri_datalist",
    "is_raw",
    "m4raw_datalist",
    "raw_items",
    "read_image",
    "read_kspace",
]
