"""Training pairs cut to a smaller field of view, so that less time goes to the air around the head."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from monai.transforms import Randomizable, RandWeightedCrop
from monai.utils import convert_to_tensor
from torch import Tensor

from ..errors import BundleError

__all__ = ["SmallerField"]


class SmallerField(Randomizable):
    """Cut both slices to a field about a voxel of the head, before the scan: voxels keep their size, lines get fewer.

    A head that is larger is cut off at the field's edge, so end a training on whole slices.

    Args:
        size: rows and columns that are kept, what the network takes: divisible by 16, or by 8 for the unrolled network.

    Raises:
        BundleError: a size that is no pair of numbers above 0; at the call, slices that are smaller.
    """

    def __init__(self, size: Sequence[int] = (192, 192)) -> None:
        if not isinstance(size, Sequence) or len(size) != 2 or not all(isinstance(n, int) and n > 0 for n in size):
            raise BundleError(f"size of the smaller field is rows and columns, such as [192, 192], not {size!r}.")
        self.size = tuple(size)
        self.crop = RandWeightedCrop(self.size)

    def set_random_state(self, seed: int | None = None, state: np.random.RandomState | None = None) -> SmallerField:
        """Seed the place of the field."""
        super().set_random_state(seed, state)
        self.crop.set_random_state(state=self.R)
        return self

    def __call__(self, t1: Tensor, t2: Tensor) -> tuple[Tensor, Tensor]:
        """Both ``(h, w)`` to ``size``; the same part of both."""
        if any(cut > given for cut, given in zip(self.size, t2.shape)):
            raise BundleError(
                f"A smaller field of {self.size[0]} x {self.size[1]} cannot be cut from slices of {t2.shape[0]} x "
                f"{t2.shape[1]}: choose a smaller size, or a larger --image_size."
            )
        pair = self.crop(torch.stack((t1, t2)), weight_map=(t2 > t2.mean())[None].float())[0]
        first, second = convert_to_tensor(pair, track_meta=False)
        return first, second
