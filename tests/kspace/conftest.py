"""A head as raw k-space, small."""

from __future__ import annotations

import numpy as np
import pytest

from tests.kspace.raw_files import kspace_of, slices_of_a_head


@pytest.fixture(scope="session")
def head() -> np.ndarray:
    """``(3, 64, 36)``."""
    return slices_of_a_head(3, 64, 36)


@pytest.fixture(scope="session")
def coil_kspace(head) -> np.ndarray:
    """``(3, 4, 64, 36)``."""
    return kspace_of(head, 4)
