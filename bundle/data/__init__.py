"""From files to aligned slices: find pairs, split them by subject, read, align, cut to slices, keep on disk.

A name is imported when it is asked for: pairs are found without torch and MONAI, which take seconds to import.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .alignment import RigidAlignmentd as RigidAlignmentd
    from .alignment import register_rigid as register_rigid
    from .csv_pairs import read_csv as read_csv
    from .datalist import read_datalist as read_datalist
    from .datalist import select as select
    from .datalist import volume_name as volume_name
    from .datalist import write_datalist as write_datalist
    from .folder_pairs import find_pairs as find_pairs
    from .inference_pair import inference_items as inference_items
    from .matrix import geometry_of as geometry_of
    from .named_pair import NamedPaird as NamedPaird
    from .named_pair import t1_beside as t1_beside
    from .place import Place as Place
    from .prepared import PreparedVolume as PreparedVolume
    from .prepared import PreparedVolumes as PreparedVolumes
    from .prepared import output_stem as output_stem
    from .reading import ReadVolumed as ReadVolumed
    from .reading import read_volume as read_volume
    from .registration import resample as resample
    from .served import ServedCompose as ServedCompose
    from .slices import Geometry as Geometry
    from .slices import slices_to_volume as slices_to_volume
    from .slices import volume_to_slices as volume_to_slices
    from .splits import cross_validation as cross_validation
    from .splits import split_by_subject as split_by_subject
    from .to_slices import VolumeToSlicesd as VolumeToSlicesd

_NAMES = {  # module -> what it offers here
    "alignment": "RigidAlignmentd register_rigid",
    "csv_pairs": "read_csv",
    "datalist": "read_datalist select volume_name write_datalist",
    "folder_pairs": "find_pairs",
    "inference_pair": "inference_items",
    "matrix": "geometry_of",
    "named_pair": "NamedPaird t1_beside",
    "place": "Place",
    "prepared": "PreparedVolume PreparedVolumes output_stem",
    "reading": "ReadVolumed read_volume",
    "registration": "resample",
    "served": "ServedCompose",
    "slices": "Geometry slices_to_volume volume_to_slices",
    "splits": "cross_validation split_by_subject",
    "to_slices": "VolumeToSlicesd",
}
_PLACES = {name: module for module, names in _NAMES.items() for name in names.split()}
__all__ = list(_PLACES)


def __getattr__(name: str) -> Any:
    """Import what is asked for, not before."""
    if name not in _PLACES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f".{_PLACES[name]}", __name__), name)


def __dir__() -> list[str]:
    return sorted({*globals(), *_PLACES})
