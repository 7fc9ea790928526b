"""A number of things is said with its plural, and several numbers as the least and the largest."""

from __future__ import annotations

import numpy as np
import pytest

from bundle.counted import counted


@pytest.mark.parametrize(
    "numbers, said",
    [
        (0, "0 pairs"),
        (1, "1 pair"),
        (np.int64(1), "1 pair"),
        (2, "2 pairs"),
        ([1, 1], "1 pair"),
        ([6, 4, 5], "4 to 6 pairs"),
        (range(1, 3), "1 to 2 pairs"),
    ],
)
def test_a_number_of_things_has_its_plural(numbers, said):
    assert counted(numbers, "pair") == said
