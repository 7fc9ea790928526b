"""What the voxels of a magnitude image can be, and the small negative ones that interpolation leaves."""

from __future__ import annotations

import logging
from typing import cast

import numpy as np
import torch
from monai.data import MetaTensor

from ..counted import counted
from ..errors import BundleError

__all__ = ["as_single", "check_two_images", "check_voxels", "without_negatives"]

_logger = logging.getLogger(__name__)
# Interpolation overshoots beside edges: in real files down to 0.17 of a bright voxel, and 0.0004 of all intensity.
_DEEPEST, _MOST_NEGATIVE = 0.5, 0.01
_ONE_IMAGE = 0.999  # correlation; of the T1 and T2 of twelve real sessions it is 0.7 at most
_FAINTEST, _BRIGHTEST = 1e-12, 1e12  # what can be squared and summed in single precision


def check_voxels(volume: MetaTensor, name: str) -> None:
    """Refuse a volume that is no magnitude image, shows nothing, or whose sums would be undefined.

    Args:
        volume: any shape.
        name: of its file, for the sentence.

    Raises:
        BundleError: a voxel is NaN or infinite; there are at most two values, as in a mask; negative voxels are more
            than interpolation leaves; the values are too large or too small to be computed with.
    """
    voxels = volume.as_tensor()
    broken = int((~torch.isfinite(voxels)).sum())
    if broken:
        raise BundleError(
            f"{name} holds {broken} non-finite voxels (NaN or infinity) of {voxels.numel()}; replace them first."
        )
    low, high = (float(value) for value in torch.aminmax(voxels))
    if low == high:
        raise BundleError(f"{name} holds no image: every voxel is {low:g}.")
    if bool(((voxels == low) | (voxels == high)).all()):
        raise BundleError(f"{name} is a mask, not an image: every voxel is {low:g} or {high:g}; name the image itself.")
    _check_negatives(voxels, name)
    if not _FAINTEST < high < _BRIGHTEST:
        raise _out_of_scale(high, name)


def as_single(voxels: np.ndarray, name: str) -> np.ndarray:
    """Voxels in single precision; BundleError where they are finite numbers that it does not hold."""
    brightest = float(np.max(np.abs(voxels), where=np.isfinite(voxels), initial=0))
    single = np.finfo(np.float32)
    if brightest and not float(single.tiny) <= brightest <= float(single.max):
        raise _out_of_scale(brightest, name)
    return voxels.astype(np.float32)


def _out_of_scale(brightest: float, name: str) -> BundleError:
    return BundleError(
        f"{name} has {brightest:.3g} as its brightest voxel, which single precision cannot be trusted with; scale the "
        "image to a maximum of 1 to 100,000, say, and look at scl_slope in its header."
    )


def check_two_images(t1: MetaTensor, t2: MetaTensor, names: tuple[str, str]) -> None:
    """Refuse a T1 that is T2 itself in other units, or turned: it would tell a network what it is to reconstruct.

    Args:
        t1, t2: on one grid, one shape.
        names: of their files, for the sentence.

    Raises:
        BundleError: where T2 is brighter than its mean, the correlation of the two is above 0.999.
    """
    bright = t2.as_tensor() > t2.as_tensor().mean()
    one, other = (np.asarray(volume.as_tensor()[bright], dtype=np.float64) for volume in (t1, t2))
    if one.size < 2 or one.std() == 0 or other.std() == 0:
        return
    if (correlation := abs(np.corrcoef(one, other)[0, 1])) > _ONE_IMAGE:
        raise BundleError(
            f"{names[0]} and {names[1]} are one image in two scales, with a correlation of {correlation:.5f}; give the "
            "T1 of the subject."
        )


def without_negatives(volume: MetaTensor, name: str) -> MetaTensor:
    """The volume with its negative voxels, which :func:`check_voxels` found to be small, set to 0, and a line on it."""
    negative = int((volume.as_tensor() < 0).sum())
    if not negative:
        return volume
    lowest = float(volume.as_tensor().min())
    told = counted(negative, "negative voxel")
    _logger.info("%s: %s, down to %.4g as interpolation leaves them, set to 0", name, told, lowest)
    return cast(MetaTensor, volume.clamp(min=0))


def _check_negatives(voxels: torch.Tensor, name: str) -> None:
    """BundleError where negative voxels are deeper, or sum to more, than interpolation leaves beside edges."""
    negative = voxels[voxels < 0].double()
    if not negative.numel():
        return
    positive = voxels[voxels > 0].double().numpy()
    bright = float(np.percentile(positive, 99)) if positive.size else 0.0
    depth, mass = -float(negative.min()), -float(negative.sum())
    if depth > _DEEPEST * bright or mass > _MOST_NEGATIVE * positive.sum():
        raise BundleError(
            f"{name} is no magnitude image: {negative.numel()} of its {voxels.numel()} voxels are negative, down to "
            f"{-depth:.4g} where bright ones are {bright:.4g}; set a padding value to 0, or undo a z-score, a shift of "
            "the intensities or a wrong scl_inter first."
        )
