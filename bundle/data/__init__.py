"""From files to aligned slices: find pairs, split them by subject, read, align, cut to slices, keep on disk."""

from __future__ import annotations

from .alignment import RigidAlignmentd, register_rigid
from .csv_pairs import read_csv
from .datalist import read_datalist, select, volume_name, write_datalist
from .folder_pairs import find_pairs
from .inference_pair import inference_items
from .matrix import geometry_of
from .named_pair import NamedPaird, t1_beside
from .place import Place
from .prepared import PreparedVolume, PreparedVolumes, output_stem
from .reading import ReadVolumed, read_volume
from .registration import resample
from .served import ServedCompose
from .slices import Geometry, slices_to_volume, volume_to_slices
from .splits import cross_validation, split_by_subject
from .to_slices import VolumeToSlicesd

__all__ = [
    "Geometry",
    "NamedPaird",
    "Place",
    "PreparedVolume",
    "PreparedVolumes",
    "ReadVolumed",
    "RigidAlignmentd",
    "ServedCompose",
    "VolumeToSlicesd",
    "cross_validation",
    "find_pairs",
    "geometry_of",
    "inference_items",
    "output_stem",
    "read_csv",
    "read_datalist",
    "read_volume",
    "register_rigid",
    "resample",
    "select",
    "slices_to_volume",
    "split_by_subject",
    "t1_beside",
    "volume_name",
    "volume_to_slices",
    "write_datalist",
]
