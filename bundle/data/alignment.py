"""T1 brought onto T2's grid: registered rigidly where that is better than the headers, and resampled once.

The headers of one session are often right already. So a registration is taken only where the mutual information, by an
estimate that is independent of ITK, grows by more than interpolation and noise explain; otherwise the headers'
alignment stays. Registration maximises Mattes' mutual information (Mattes et al., IEEE TMI 2003). Whether what it ends
with is one anatomy is judged by the likeness (:func:`~bundle.data.mutual_information.likeness_at`): where it is less
than :data:`LEAST_LIKENESS`, headers were lost, or T1 is of somebody else.
"""

from __future__ import annotations

import logging
from collections.abc import Hashable, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from monai.data import MetaTensor
from monai.transforms import MapTransform
from scipy.spatial.transform import Rotation

from ..errors import BundleError
from .mutual_information import information_at, likeness_at, rounded_down
from .reading import file_of
from .registration import find_transform, head_centre, resample
from .remembered import remembered
from .voxels import check_two_images, check_voxels

__all__ = ["LEAST_LIKENESS", "RigidAlignment", "RigidAlignmentd", "register_rigid"]

logger = logging.getLogger(__name__)

# Least relative growth of the mutual information. Pairs aligned beforehand (an atlas, three patients) grew by up to
# 0.33 %, pairs displaced by 0.8 mm to 5.7 mm by 2 % and more.
_LEAST_GAIN = 0.01
_LEAST_VOXELS = 4  # along an axis: ITK smooths over them
_CAPTURED = 10.0  # mm; from starts that lie nearer than this to each other, registration comes to the same end
LEAST_LIKENESS = 1.25  # of one anatomy; docs/data.md has what pairs of one and of two heads reach


class RigidAlignment(NamedTuple):
    """Where T1 lies relative to T2, and how that was decided."""

    t2_to_t1: np.ndarray  # (4, 4) RAS mm: a T2 world point to the T1 world point of the same anatomy
    registered: bool  # False: the headers' alignment was kept, and t2_to_t1 is the identity
    note: str
    mutual_information_before: float  # nats
    mutual_information_after: float  # nats, of the transform that registration found, whether or not it was taken
    likeness: float  # at t2_to_t1: how many times as much T1 tells of T2 as when it is displaced by 4 mm


class RigidAlignmentd(MapTransform):
    """Register ``moving_key`` to ``fixed_key``, resample it on the fixed grid and report in ``data["alignment"]``.

    The report holds the fields of :class:`RigidAlignment` as plain values, rotation_degrees (the rotation vector about
    RAS x, y, z; its length is the angle), translation_mm (RAS, of the fixed head's centre) and same_anatomy. A pair
    that is not of the same anatomy is resampled all the same, with a warning; the datasets of
    :mod:`bundle.acquisition.datasets` refuse it where the network is shown T1. One image in two scales is refused
    (:func:`~bundle.data.voxels.check_two_images`).

    Args:
        fixed_key: entry whose grid is kept, ``MetaTensor`` ``(1, x, y, z)``.
        moving_key: entry to align, ``MetaTensor`` ``(1, x, y, z)`` on any grid.
        levels: resolutions, each twice as fine as the one before, the last about 1 mm; 0 trusts the headers.
        samples: voxels that the metric draws at the last level; their number, not the volume's, sets the time.
        seed: of that draw; one seed gives one result, to the bit.
        least_likeness: of a pair of the same anatomy; 0 takes every pair.
        judged_key: entry on the fixed grid by which the likeness of the result is judged; None: the fixed one. For a
            zero-filled image the limit does not hold: undersampled, one head has 1.1 to 2.1. The judgement refuses
            pairs and reaches no network, so the fully sampled T2 may make it.

    The attribute ``memory_dir``, a folder or None, is where registrations are kept (:mod:`bundle.data.remembered`).
    """

    def __init__(
        self,
        fixed_key: str = "t2",
        moving_key: str = "t1",
        levels: int = 3,
        samples: int = 200_000,
        seed: int = 0,
        least_likeness: float = LEAST_LIKENESS,
        judged_key: str | None = None,
    ) -> None:
        super().__init__((fixed_key, moving_key))
        self.judged_key = judged_key or fixed_key
        self.least_likeness = least_likeness
        self.settings = {"levels": levels, "samples": samples, "seed": seed}
        self.memory_dir: Path | None = None

    def __call__(self, data: Mapping[Hashable, Any]) -> dict[Hashable, Any]:
        """A copy of ``data`` with the moving volume on the fixed grid, and ``alignment``."""
        items, (fixed_key, moving_key) = dict(data), self.keys
        fixed, moving = items[fixed_key], items[moving_key]
        found = self._registered(fixed, moving)
        if self.judged_key != fixed_key:
            found = found._replace(likeness=likeness_at(items[self.judged_key], moving, found.t2_to_t1))
        items[moving_key] = resample(moving, fixed, found.t2_to_t1)
        check_two_images(items[moving_key], items[self.judged_key], (file_of(moving), file_of(fixed)))
        same = found.likeness >= self.least_likeness
        judged = {"same_anatomy": same, "least_likeness": self.least_likeness}
        items["alignment"] = _report(found, fixed, moving) | judged
        if not same:
            logger.warning(
                f"{file_of(moving)} and {file_of(fixed)} do not seem to show the same anatomy: as they are aligned "
                f"({found.note}), their likeness is {rounded_down(found.likeness)}, "
                f"expected {self.least_likeness:g} at least"
            )
        return items

    def _registered(self, fixed: MetaTensor, moving: MetaTensor) -> RigidAlignment:
        if self.memory_dir is None:
            return register_rigid(fixed, moving, **self.settings)

        def register() -> dict[str, Any]:
            found = register_rigid(fixed, moving, **self.settings)
            return {**found._asdict(), "t2_to_t1": found.t2_to_t1.tolist()}

        values = remembered(self.memory_dir, (fixed, moving), self.settings, register)
        return RigidAlignment(**{**values, "t2_to_t1": np.array(values["t2_to_t1"])})

    def __getstate__(self) -> dict[str, Any]:
        """What a cache's key is made of: where registrations are kept changes nothing of them."""
        return self.__dict__ | {"memory_dir": None}


def register_rigid(
    fixed: MetaTensor, moving: MetaTensor, levels: int = 3, samples: int = 200_000, seed: int = 0
) -> RigidAlignment:
    """The rigid transform from fixed (T2) to moving (T1), both ``(1, x, y, z)``; settings as in `RigidAlignmentd`.

    Registration starts from where the headers put T1. Where that ends in no likeness, and the centres of the heads lie
    apart, it starts again from these, one on the other, and the end of greater mutual information is taken.

    Raises:
        BundleError: a volume is not ``(1, x, y, z)``, not finite or constant.
    """
    for volume in (fixed, moving):
        _check_volume(volume)
    before = information_at(fixed, moving, np.eye(4))
    if levels < 1:
        return _kept(fixed, moving, "headers kept: registration is switched off", before, before)
    if (least := min(*fixed.shape[1:], *moving.shape[1:])) < _LEAST_VOXELS:
        note = f"headers kept: a registration needs {_LEAST_VOXELS} voxels along each axis, and there are {least}"
        return _kept(fixed, moving, note, before, before)
    settings = {"levels": levels, "samples": samples, "seed": seed}
    found = _register(fixed, moving, before, settings)
    apart = (head_centre(moving) - head_centre(fixed))[:3]
    if found.likeness < LEAST_LIKENESS and np.linalg.norm(apart) > _CAPTURED:
        again = _from_centres(fixed, moving, before, settings, apart)
        if again.mutual_information_after > max(before, found.mutual_information_after) * (1 + _LEAST_GAIN):
            return again
    return found


def _from_centres(
    fixed: MetaTensor, moving: MetaTensor, before: float, settings: dict[str, Any], apart: np.ndarray
) -> RigidAlignment:
    """From the centres of the heads, one on the other; they stay there where registration gains nothing more."""
    start = np.eye(4)
    start[:3, 3] = apart
    found = _register(fixed, moving, information_at(fixed, moving, start), {**settings, "shift": apart})
    if found.registered:
        note = "registered from the centres of the heads, not from the headers"
        return found._replace(note=note, mutual_information_before=before)
    note = "placed by the centres of the heads, not by the headers"
    likeness = likeness_at(fixed, moving, start)
    return RigidAlignment(start, True, note, before, found.mutual_information_before, likeness)


def _register(fixed: MetaTensor, moving: MetaTensor, before: float, settings: dict[str, Any]) -> RigidAlignment:
    """From one start; ``before`` is the mutual information there."""
    try:
        transform = find_transform(fixed, moving, **settings)
    except RuntimeError as error:  # what ITK's exceptions become in Python
        logger.debug("registration of %s failed: %s", file_of(moving), error)
        return _kept(fixed, moving, "headers kept: registration failed", before, before)
    after = information_at(fixed, moving, transform)
    if after <= before * (1 + _LEAST_GAIN):
        return _kept(fixed, moving, "headers kept: no gain in mutual information", before, after)
    return RigidAlignment(transform, True, "registered", before, after, likeness_at(fixed, moving, transform))


def _kept(fixed: MetaTensor, moving: MetaTensor, note: str, before: float, after: float) -> RigidAlignment:
    """The alignment by the headers."""
    headers = np.eye(4)
    return RigidAlignment(headers, False, note, before, after, likeness_at(fixed, moving, headers))


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
        f"likeness {rounded_down(found.likeness)}, rotation {rotation.round(2)} degrees, shift {shift.round(2)} mm"
    )
    placed = {"rotation_degrees": rotation.tolist(), "translation_mm": shift.tolist()}
    return {**found._asdict(), **placed, "t2_to_t1": found.t2_to_t1.tolist()}
