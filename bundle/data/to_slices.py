"""Aligned volumes to stacks of slices on the scan's matrix."""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence
from typing import Any

import torch
from monai.config import KeysCollection
from monai.transforms import MapTransform

from .matrix import check_image_size, geometry_of, tell_of_border
from .slices import volume_to_slices

__all__ = ["VolumeToSlicesd"]


class VolumeToSlicesd(MapTransform):
    """Aligned volumes ``(1, x, y, z)`` to stacks of slices ``(s, h, w)``; adds ``geometry``, that of the last key.

    Args:
        keys: volumes on one grid; the last one's affine is kept.
        image_size: matrix of the slices, ``n`` or ``(h, w)``, divisible by 16; None keeps each volume's own matrix,
            padded to the next multiple of 16; ``acquired`` crops that to what its k-space is filled with.

    Raises:
        BundleError: a size that 16 does not divide.
    """

    def __init__(self, keys: KeysCollection = ("t1", "t2"), image_size: int | Sequence[int] | str | None = 256) -> None:
        super().__init__(keys)
        check_image_size(image_size)
        self.image_size = image_size

    def __call__(self, data: Mapping[Hashable, Any]) -> dict[Hashable, Any]:
        """A copy of ``data`` with stacks in place of volumes, and ``geometry``."""
        output = dict(data)
        volume = data[self.keys[-1]]
        geometry = geometry_of(volume, self.image_size)
        tell_of_border(volume, geometry)
        for key in self.keys:
            output[key] = volume_to_slices(torch.as_tensor(data[key])[0], geometry)
        output["geometry"] = geometry
        return output
