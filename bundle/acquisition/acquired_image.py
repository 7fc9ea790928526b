"""What T1 can be registered to: the zero-filled image of the scan. The fully sampled T2 is what no scanner has."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from copy import deepcopy
from typing import Any

import torch
from monai.data import MetaTensor
from monai.transforms import Transform
from torch import Tensor

from ..data import geometry_of, slices_to_volume, volume_name, volume_to_slices
from .datasets import scan_seed
from .scan import Acquired, Acquisition

__all__ = ["AcquiredImaged"]


class AcquiredImaged(Transform):
    """Add ``acquired``, the zero-filled image of a volume's scan, on the volume's own grid.

    It is made of the very samples that the network is given later: mask and noise are those of
    :class:`~bundle.acquisition.VolumeDataset`.

    Args:
        acquisition: the simulated scan; a copy of it is used.
        image_size: matrix of the scan, as in :class:`~bundle.data.VolumeToSlicesd`.
        seed: as in :class:`~bundle.acquisition.VolumeDataset`.
        key: the fully sampled volume, ``MetaTensor`` ``(1, x, y, z)``.
        output_key: gets the zero-filled magnitude, ``MetaTensor`` ``(1, x, y, z)`` with the same affine.
    """

    def __init__(
        self,
        acquisition: Acquisition,
        image_size: int | Sequence[int] | str | None = 256,
        seed: int = 0,
        key: str = "t2",
        output_key: str = "acquired",
    ) -> None:
        self.acquisition = deepcopy(acquisition)
        # the cache's key shall not depend on what was drawn before, nor on what the network is shown
        self.acquisition.set_random_state(seed=0)
        self.acquisition.visible = ("t2",)
        self.image_size = image_size
        self.seed = seed
        self.key = key
        self.output_key = output_key

    def __call__(self, data: Mapping[str, Any]) -> dict[str, Any]:
        """A copy of ``data``, which also names the subject, with ``output_key``."""
        volume = data[self.key]
        geometry = geometry_of(volume, self.image_size)
        slices = volume_to_slices(volume.as_tensor()[0], geometry)
        acquisition = deepcopy(self.acquisition)
        acquisition.set_random_state(seed=scan_seed(self.seed, volume_name(data)))
        image = self.image_of(acquisition(torch.zeros_like(slices), slices))
        return {**data, self.output_key: MetaTensor(slices_to_volume(image, geometry)[None], meta=volume.meta)}

    def image_of(self, acquired: Acquired) -> Tensor:
        """The image ``(s, h, w)`` of a scan of T2 alone, in the units of the T2 image; here the zero-filled one."""
        return acquired.zero_filled
