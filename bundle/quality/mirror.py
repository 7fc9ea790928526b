"""Whether T1 fits T2 better than its own mirror image does: what a head turned left to right, or another head, fails.

A head is nearly its own mirror image, so a T1 that was mirrored still shares the outline, the ventricles and much of
the mutual information with T2. The folds of the cortex are not symmetric. They are compared where both T1s are
registered: as it is, and mirrored.
"""

from __future__ import annotations

import numpy as np
import torch
from monai.data import MetaTensor
from numpy.typing import NDArray

from ..data.mutual_information import inside_information
from ..data.reading import file_of
from ..data.registration import find_transform, head_centre

__all__ = ["mirrored", "unlike_mirror"]

_LEVELS, _SAMPLES, _SEED = 3, 50_000, 0


def unlike_mirror(fixed: MetaTensor, moving: MetaTensor, transform: NDArray[np.float64]) -> float:
    """How many times as much T1 tells of T2 inside the head as its mirror image does, each where it fits best.

    Args:
        fixed, moving: T2 and T1, ``(1, x, y, z)``.
        transform: ``(4, 4)`` RAS mm, T2 to T1, where T1 fits best.

    Returns:
        without unit; about 1 for a T1 of another head, below 1 for one that was mirrored.
    """
    image = mirrored(moving)
    start = np.eye(4)
    start[:3, 3] = (head_centre(moving) - head_centre(image))[:3]
    # laid where T1 lies on T2, so that registration begins near its end
    placed = torch.from_numpy(np.linalg.inv(transform) @ start @ np.asarray(image.affine, dtype=np.float64))
    image = MetaTensor(image.as_tensor(), affine=placed, meta={"filename_or_obj": "the mirror image of T1"})
    try:
        found = find_transform(fixed, image, _LEVELS, _SAMPLES, _SEED)
    except RuntimeError:  # of ITK, where nothing overlaps
        found = np.eye(4)
    return inside_information(fixed, moving, transform) / max(inside_information(fixed, image, found), 1e-6)


def mirrored(volume: MetaTensor) -> MetaTensor:
    """The voxels turned round along the axis that runs most nearly from left to right; the header stays."""
    steps = np.asarray(volume.affine, dtype=np.float64)[:3, :3]
    axis = int(np.argmax(np.abs(steps[0]) / np.linalg.norm(steps, axis=0)))
    voxels = torch.flip(volume.as_tensor(), (1 + axis,))
    return MetaTensor(voxels, affine=volume.affine.clone(), meta={"filename_or_obj": file_of(volume)})
