"""fastMRI's random and equispaced lines, as MONAI draws them, for comparison; their count is right on average only."""

from __future__ import annotations

import math

import numpy as np
from monai.apps.reconstruction.transforms.array import EquispacedKspaceMask, RandomKspaceMask

from .mask_families import CartesianMask

__all__ = ["FastMRIEquispacedMask", "FastMRIRandomMask"]


class FastMRIRandomMask(CartesianMask):
    """fastMRI's random lines, as MONAI draws them: each line outside the centre independently of the others.

    The acceleration is right on average only: 7.3 to 11.6 in 90 % of the draws where 9 was asked (256 lines).
    """

    monai_mask: type[RandomKspaceMask] | type[EquispacedKspaceMask] = RandomKspaceMask

    def _draw(self, height: int, width: int) -> np.ndarray:
        center = round(width * self.center_fraction)
        self._check_center(math.ceil(width / self.acceleration) - 1, center, f"of {width} lines")
        mask = self.monai_mask(self.center_fractions, self.accelerations)
        mask.set_random_state(state=self.R)
        mask(np.zeros((1, 1, width, 2), dtype=np.float32))
        return np.tile(mask.mask.numpy().reshape(width) > 0, (height, 1))


class FastMRIEquispacedMask(FastMRIRandomMask):
    """fastMRI's equispaced lines, as MONAI draws them: 8.5 to 9.1 where 9 was asked, as some fall into the centre."""

    monai_mask = EquispacedKspaceMask
