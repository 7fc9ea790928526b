"""T1 brought onto T2's grid: registered rigidly where that is better than the headers, and resampled once.

The headers of one session are often right already. So a registration is taken only where the mutual information, by an
estimate that is independent of ITK, grows by more than interpolation and noise explain; otherwise the headers'
alignment stays. Registration maximises Mattes' mutual information (Mattes et al., IEEE TMI 2003).
"""

from __future__ import annotations

import logging
from collections.abc import Hashable, Mapping
from typing import Any, NamedTuple

import numpy as np
from monai.data import MetaTensor
from monai.transforms import MapTransform
from scipy.spatial.transform import Rotation

from ..errors import BundleError
from .mutual_information import information_at
from .reading import file_of
from .registration import find_transform, head_centre, resample
from .voxels import check_voxels

__all__ = ["RigidAlignment", "RigidAlignmentd", "register_rigid"]

logger = logging.getLogger(__name__)

# Least relative growth of the mutual information. Pairs aligned beforehand (an atlas, three patients) grew by up to
# 0.33 %, pairs displaced by 0.8 mm to 5.7 mm by 2 % and more.
_LEAST_GAIN = 0.01


class RigidAlignment(NamedTuple):
    """Where T1 lies relative to T2, and how that was decided."""

    t2_to_t1: np.ndarray  # (4, 4) RAS mm: a T2 world point to the T1 world point of the same anatomy
    registered: bool  # False: the headers' alignment was kept, and t2_to_t1 is the identity
    note: str
    mutual_information_before: float  # nats
    mutual_information_after: float  # nats, of the transform that registration found, whether or not it was taken


class RigidAlignmentd(MapTransform):
    """Register ``moving_key`` to ``fixed_key``, resample it on the fixed grid and report in ``data["alignment"]``.

    The report holds the fields of :class:`RigidAlignment` as plain values, rotation_degrees (the rotation vector about
    RAS x, y, z; its length is the angle) and translation_mm (RAS, of the fixed head's centre).

    Args:
        fixed_key: entry whose grid is kept, ``MetaTensor`` ``(1, x, y, z)``.
        moving_key: entry to align, ``MetaTensor`` ``(1, x, y, z)`` on any grid.
        levels: resolutions, each twice as fine as the one before, the last about 1 mm; 0 trusts the headers.
        samples: voxels that the metric draws at the last level; their number, not the volume's, sets the time.
        seed: of that draw; one seed gives one result, to the bit.
    """

    def __init__(
        self, fixed_key: str = "t2", moving_key: str = "t1", levels: int = 3, samples: int = 200_000, seed: int = 0
    ) -> None:
        super().__init__((fixed_key, moving_key))
        self.settings = {"levels": levels, "samples": samples, "seed": seed}

    def __call__(self, data: Mapping[Hashable, Any]) -> dict[Hashable, Any]:
        """A copy of ``data`` with the moving volume on the fixed grid, and ``alignment``."""
        items, (fixed_key, moving_key) = dict(data), self.keys
        fixed, moving = items[fixed_key], items[moving_key]
        found = register_rigid(fixed, moving, **self.settings)
        items[moving_key] = resample(moving, fixed, found.t2_to_t1)
        items["alignment"] = _report(found, fixed, moving)
        return items


def register_rigid(
    fixed: MetaTensor, moving: MetaTensor, levels: int = 3, samples: int = 200_000, seed: int = 0
) -> RigidAlignment:
    """The rigid transform from fixed (T2) to moving (T1), both ``(1, x, y, z)``; settings as in `RigidAlignmentd`.

    Raises:
        BundleError: a volume is not ``(1, x, y, z)``, not finite or constant, or the two do not overlap.
    """
    for volume in (fixed, moving):
        _check_volume(volume)
    headers = np.eye(4)
    before = information_at(fixed, moving, headers)
    if levels < 1:
        return RigidAlignment(headers, False, "headers kept: registration is switched off", before, before)
    try:
        transform = find_transform(fixed, moving, levels, samples, seed)
        after = information_at(fixed, moving, transform)
    except (RuntimeError, BundleError) as error:  # what ITK's exceptions become in Python; an overlap lost on the way
        logger.debug("registration of %s failed: %s", file_of(moving), error)
        return RigidAlignment(headers, False, "headers kept: registration failed", before, before)
    if after <= before * (1 + _LEAST_GAIN):
        return RigidAlignment(headers, False, "headers kept: no gain in mutual information", before, after)
    return RigidAlignment(transform, True, "registered", before, after)


def _check_volume(volume: MetaTensor) -> None:
    if not isinstance(volume, MetaTensor) or volume.ndim != 4 or volume.shape[0] != 1 or min(volume.shape[1:]) < 2:
        raise BundleError(
            f"{file_of(volume)} cannot be aligned: expected a MetaTensor volume (1, x, y, z), "
            f"got shape {tuple(volume.shape)}."
        )
    check_voxels(volume, file_of(volume))


def _report(found: RigidAlignment, fixed: MetaTensor, moving: MetaTensor) -> dict[str, Any]:
    """The plain values of ``data["alignment"]``; logs them in one line."""
    centre = head_centre(fixed)
    rotation = Rotation.from_matrix(found.t2_to_t1[:3, :3]).as_rotvec(degrees=True)
    shift = (found.t2_to_t1 @ centre - centre)[:3]
    logger.info(
        f"{file_of(moving)} on {file_of(fixed)}: {found.note}; mutual information "
        f"{found.mutual_information_before:.4f} -> {found.mutual_information_after:.4f}, "
        f"rotation {rotation.round(2)} degrees, shift {shift.round(2)} mm"
    )
    placed = {"rotation_degrees": rotation.tolist(), "translation_mm": shift.tolist()}
    return {**found._asdict(), **placed, "t2_to_t1": found.t2_to_t1.tolist()}
