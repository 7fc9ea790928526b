"""One pair examined: read, registered, measured and drawn; a pair that cannot be is told of."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from monai.data import MetaTensor

from ..data.alignment import RigidAlignmentd
from ..data.datalist import volume_name
from ..data.mutual_information import likeness_at
from ..data.reading import read_volume
from ..data.remembered import remembered
from ..errors import BundleError
from .mirror import unlike_mirror
from .views import VIEWS, draw_pair

__all__ = ["examine", "measure"]

_SAMPLES = 200_000  # as a training has; with 50 000, one of two heads that were turned by 15 degrees stayed 4 off
_VERSION = 1  # count up when an examination of the same images comes out differently
_SIZES: dict[str, dict[str, Any]] = {
    "small": {"names": ("axial",), "pixels": 120, "quality": 50},
    "large": {"names": tuple(VIEWS), "pixels": 230, "quality": 65},
}


def examine(item: Mapping[str, str], cache_dir: Path | None = None, samples: int = _SAMPLES) -> dict[str, Any]:
    """What is known of a pair, as plain values.

    Args:
        item: ``{"subject", "t1", "t2"}``, with ``"session"`` and ``"list"`` where there are any.
        cache_dir: where examinations are kept; None for nowhere.
        samples: of the registration, as :class:`bundle.data.RigidAlignmentd` takes them.

    Returns:
        ``name``, and the item's own entries; ``failed``, a sentence, of a pair that cannot be examined. Of others
        ``likeness_before`` and ``_after``, ``mutual_information_before`` and ``_after`` (nats): by the headers, and by
        the registration; ``unlike_mirror``; ``rotation_degrees`` and ``shift_mm`` of the registration, at the head's
        centre, ``moved_mm``, a mean over the head; ``note``; ``small`` and ``large``, pictures as data URIs.
    """
    record = {**item, "name": volume_name(item)}
    try:
        t2, t1 = read_volume(item["t2"]), read_volume(item["t1"])
        if cache_dir is None:
            return record | measure(t2, t1, samples)
        settings = {"examination": _VERSION, "samples": samples}
        return record | remembered(cache_dir, (t2, t1), settings, lambda: measure(t2, t1, samples))
    except BundleError as error:
        return record | {"failed": str(error)}
    except Exception as error:  # of whatever kind: one pair never stops the others
        return record | {"failed": f"{type(error).__name__}: {error}"}


def measure(t2: MetaTensor, t1: MetaTensor, samples: int = _SAMPLES) -> dict[str, Any]:
    found = RigidAlignmentd(samples=samples, least_likeness=0)({"t2": t2, "t1": t1})["alignment"]
    headers, transform = np.eye(4), np.array(found["t2_to_t1"])
    numbers = {
        "likeness_before": likeness_at(t2, t1, headers),
        "likeness_after": found["likeness"],
        "mutual_information_before": found["mutual_information_before"],
        "mutual_information_after": found["mutual_information_after"],
        "unlike_mirror": unlike_mirror(t2, t1, transform),
        "rotation_degrees": float(np.linalg.norm(found["rotation_degrees"])),
        "shift_mm": float(np.linalg.norm(found["translation_mm"])),
        "moved_mm": _moved(t2, transform),
        "note": found["note"],
    }
    pictures = {name: draw_pair(t2, t1, headers, transform, **size) for name, size in _SIZES.items()}
    return numbers | pictures


def _moved(t2: MetaTensor, transform: np.ndarray) -> float:
    """Mean distance in mm, over the voxels of T2 brighter than the mean, that a transform moves them by."""
    voxels = t2.numpy()[0]
    index = np.argwhere(voxels > voxels.mean())[::101]
    world = np.column_stack((index, np.ones(len(index)))) @ np.asarray(t2.affine, dtype=np.float64).T
    return float(np.linalg.norm((world @ (transform - np.eye(4)).T)[:, :3], axis=1).mean())
