"""fastMRI's masks are MONAI's own, drawn line by line."""

from __future__ import annotations

import numpy as np
import pytest
from monai.apps.reconstruction.transforms.array import EquispacedKspaceMask, RandomKspaceMask

from bundle.acquisition.masks import make_mask

FASTMRI = ["fastmri_random", "fastmri_equispaced"]


@pytest.mark.parametrize("pattern, monai", list(zip(FASTMRI, [RandomKspaceMask, EquispacedKspaceMask], strict=True)))
def test_fastmri_masks_are_monais_own(pattern, monai):
    ours, theirs = (mask.set_random_state(seed=5) for mask in (make_mask(pattern, 8), monai([0.04], [8])))
    for _ in range(3):
        theirs(np.zeros((1, 16, 128, 2), dtype=np.float32))
        assert np.array_equal(ours.sample(16, 128)[0], theirs.mask.numpy().ravel() > 0)
