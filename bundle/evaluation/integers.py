"""Reconstructions as integers, for viewers that ask for them: what a viewer of floats shows, and no voxel wraps around.

Slicer and OHIF ask MONAI Label for ``uint8`` or ``uint16``, as of label maps. A plain conversion would turn -1.1 into
65535 and leave two grey levels of an image in [0, 1].
"""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from typing import Any

import numpy as np
import torch
from monai.config import KeysCollection
from monai.transforms import MapTransform

from ..errors import BundleError
from ..settings import plain

__all__ = ["ToIntegersd", "type_of_result"]

_LEVELS = 1000  # of an image that is rounded in its own units; with fewer, greys would be lost that a screen shows


class ToIntegersd(MapTransform):
    """Clamp, scale and round images to what an integer type holds, where the item asks for one; else change nothing.

    Values below the type's least become that. An image whose maximum lies between 1000 and what the type holds is
    rounded in its own units; any other is multiplied so that its maximum is the largest number of the type. The factor
    stands in ``data[result_key]["intensity_scale"]``: voxels divided by it are in the T2 file's units.

    Args:
        keys: images, any shape; they keep their type, with whole numbers.
        dtype_key: entry with the name of the type, as ``uint16``; none, or a floating one, leaves images as they are.
        result_key: entry for what is told beside the images.
    """

    def __init__(self, keys: KeysCollection, dtype_key: Hashable = "result_dtype", result_key: str = "result") -> None:
        super().__init__(keys)
        self.dtype_key = dtype_key
        self.result_key = result_key

    def __call__(self, data: Mapping[Hashable, Any]) -> dict[Hashable, Any]:
        """A copy of ``data``.

        Raises:
            BundleError: there is no such type, or it is none of real numbers.
        """
        output, wanted = dict(data), plain(data.get(self.dtype_key))
        kind: Any = np.dtype(np.float32) if wanted is None else type_of_result(wanted)
        if kind.kind == "f":
            return output
        for key in self.keys:
            limits = np.iinfo(kind)
            most = float(data[key].max())
            scale = 1.0 if _LEVELS <= most <= limits.max or most <= 0 else limits.max / most
            output[key] = torch.round(data[key] * scale).clamp(limits.min, _largest(limits.max))
            output[self.result_key] = {**output.get(self.result_key, {}), "intensity_scale": scale}
        return output


def type_of_result(name: Any) -> np.dtype:
    """The type that a result is asked for in; BundleError where there is none of real numbers by that name."""
    try:
        kind = np.dtype(name)
    except TypeError:
        kind = np.dtype(object)
    if kind.kind not in "iuf":
        raise BundleError(f"result_dtype is a type of numbers such as float32, uint16 or uint8, not {name!r}.")
    return kind


def _largest(limit: int) -> int:
    """The largest number of float32 that a type holds: 2**31 - 1 would round up to one that it does not."""
    nearest = int(np.float32(limit))
    return nearest if nearest <= limit else int(np.nextafter(np.float32(limit), np.float32(0)))
