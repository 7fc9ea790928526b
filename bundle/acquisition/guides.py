"""Guides: T1 that is not the aligned T1 of the same subject, to ask how much a trained network owes to it.

A guide is called with the volumes that are evaluated, the index of one of them and a seed that the dataset derives from
its own seed and the volume's name. It returns the T1 stack that the network is shown, ``(s, h, w)``, on the grid and in
the order of that volume's T2. Mask, noise and target stay those of the volume, so that conditions compare pairwise.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from numbers import Real

import numpy as np
import torch
from monai.transforms import Affine
from monai.utils import convert_to_tensor
from nibabel.orientations import apply_orientation, io_orientation, ornt_transform
from torch import Tensor

from ..data.prepared import PreparedVolume
from ..data.slices import Geometry, to_matrix
from ..errors import BundleError

__all__ = ["Guide", "MisregisteredGuide", "OtherSubjectGuide"]

Guide = Callable[[Sequence[PreparedVolume], int, int], Tensor]


class OtherSubjectGuide:
    """T1 of another subject: the next one by name, and the first one after the last. The seed has no part in it.

    The donor is turned to the volume's orientation. Its slices are matched by their relative position (nearest), those
    of another matrix are brought to the volume's as :func:`bundle.data.slices.to_matrix` does. Heads are not registered
    to each other: size, position and, where their voxels differ, scale are the donor's.

    Args:
        donors: where to look; None looks among the evaluated volumes. A list of one subject has no other one, so
            leave-one-out cross-validation names its training volumes here.
    """

    def __init__(self, donors: Sequence[PreparedVolume] | None = None) -> None:
        self.donors = donors

    def __call__(self, volumes: Sequence[PreparedVolume], index: int, seed: int) -> Tensor:
        """The donor's T1, ``(s, h, w)``.

        Raises:
            BundleError: no donor is of another subject.
        """
        volume = volumes[index]
        donor = self._next_subject(volume, volumes if self.donors is None else self.donors)
        planes = _oriented(donor.slices()[0], donor.geometry, volume.geometry)
        matched = (2 * torch.arange(len(volume)) + 1) * len(planes) // (2 * len(volume))  # middle to middle of a slice
        return torch.stack([to_matrix(planes[position], volume.geometry.matrix) for position in matched])

    def _next_subject(self, volume: PreparedVolume, donors: Sequence[PreparedVolume]) -> PreparedVolume:
        others = [donor for donor in donors if donor.subject != volume.subject]
        if not others:
            raise BundleError(
                f"The T1 of another subject was asked for, but none of the {len(donors)} donor volumes is of another "
                f"subject than {volume.subject}: give donors from another list, such as the training volumes."
            )
        # by name and not by place: the order of a list has no say, and leave-one-out finds the same donors
        return min(others, key=lambda donor: (donor.subject < volume.subject, donor.subject, donor.name))


class MisregisteredGuide:
    """T1 displaced rigidly in plane against T2: turned about the middle of the matrix, then shifted.

    All slices of a volume move alike. The direction of the shift and the sense of the rotation are drawn, their amounts
    are exact; one volume goes the same way at all amounts, so that 1, 2 and 4 mm lie on one line. What comes from
    outside the matrix is 0.

    Interpolation smooths T1 as well, most for a shift of half a pixel, and a network that misses its details cannot
    tell why. Linear, it took a quarter to a half of the squared gradient of heads with pixels of 1.7 mm, and more at
    1 mm than at 2 mm; cubic, 4 % to 18 %. Amounts are best compared with ``spline_order`` 3.

    In plane only: a head that moves along the slice axis, or nods, shows other anatomy and not just displaced anatomy;
    that is not simulated. The displacement is added to whatever the registration left.

    Args:
        translation_mm: length of the shift, at least 0.
        rotation_degrees: angle of the rotation, at least 0.
        spline_order: of the interpolation, 1 (linear) to 5; what overshoots below 0 is cut off.

    Raises:
        BundleError: an amount that is no number or below 0, or an unknown order.
    """

    def __init__(self, translation_mm: float = 0.0, rotation_degrees: float = 0.0, spline_order: int = 1) -> None:
        self.translation_mm = _checked_amount("translation_mm", translation_mm)
        self.rotation_degrees = _checked_amount("rotation_degrees", rotation_degrees)
        if spline_order not in range(1, 6):
            raise BundleError(f"spline_order is a whole number from 1 (linear) to 5, not {spline_order!r}.")
        self.spline_order = int(spline_order)

    def __call__(self, volumes: Sequence[PreparedVolume], index: int, seed: int) -> Tensor:
        """The volume's own T1, displaced, ``(s, h, w)``."""
        rng = np.random.default_rng(seed)
        direction, sense = rng.uniform(0, 2 * math.pi), rng.choice((-1.0, 1.0))
        shift = self.translation_mm * np.array([math.cos(direction), math.sin(direction)])
        volume = volumes[index]
        rigid = _rigid(volume.geometry.spacing, shift, sense * math.radians(self.rotation_degrees))
        # MONAI wants the matrix that leads from an output pixel to where it is read; in double precision, so that no
        # displacement leaves the voxels as they were, but for less than float32 holds
        resample = Affine(
            affine=np.linalg.inv(rigid),
            mode=self.spline_order,
            padding_mode="grid-constant",
            dtype=np.float64,
            image_only=True,
        )
        return convert_to_tensor(resample(volume.slices()[0]), track_meta=False).clamp(min=0)


def _rigid(spacing: Sequence[float], shift: np.ndarray, angle: float) -> np.ndarray:
    """3x3, pixels: what stood at p, in mm from the middle ``(size - 1) / 2``, shall stand at R(angle) p + shift."""
    cosine, sine = math.cos(angle), math.sin(angle)
    rigid = np.array([[cosine, -sine, shift[0]], [sine, cosine, shift[1]], [0.0, 0.0, 1.0]])
    millimetres = np.diag([*spacing, 1.0])
    return np.linalg.inv(millimetres) @ rigid @ millimetres


def _oriented(stack: Tensor, source: Geometry, target: Geometry) -> Tensor:
    """``(s, h, w)`` with its axes swapped and flipped so that they run through the body as the target's do."""
    turn = ornt_transform(io_orientation(source.matrix_affine), io_orientation(target.matrix_affine))
    turned = apply_orientation(stack.permute(1, 2, 0).numpy(), turn)
    return torch.from_numpy(np.ascontiguousarray(turned)).permute(2, 0, 1)


def _checked_amount(name: str, value: float) -> float:
    if not isinstance(value, Real) or isinstance(value, bool) or not math.isfinite(value) or value < 0:
        raise BundleError(f"{name} must be a number of at least 0 (its direction is drawn), but got {value!r}.")
    return float(value)
