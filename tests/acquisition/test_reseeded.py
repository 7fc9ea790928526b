"""Draws of what is seeded again are MONAI's, and a state that was given is not touched."""

from __future__ import annotations

from copy import deepcopy

import numpy as np
import pytest
from monai.transforms import Randomizable

from bundle.acquisition.reseeded import Reseeded


@pytest.mark.parametrize("seed", [0, 7, np.int64(7), 2**32 - 1, 2**32 + 5])
def test_the_draws_are_those_of_monai_each_time(seed):
    ours, theirs = Reseeded(), Randomizable()
    for one in (3, seed, seed):
        ours.set_random_state(one)
        theirs.set_random_state(one)
        np.testing.assert_array_equal(ours.R.normal(size=3), theirs.R.normal(size=3))  # three: one stays for the next


def test_a_state_is_shared_and_never_seeded():
    state = np.random.RandomState(1)
    ours = Reseeded()
    assert ours.set_random_state(2).set_random_state(state=state).R is state
    ours.set_random_state(3)
    assert state.randint(2**31) == np.random.RandomState(1).randint(2**31)


def test_two_that_are_seeded_draw_apart_and_so_does_a_copy():
    first, second = Reseeded().set_random_state(1), Reseeded().set_random_state(1)
    copy = deepcopy(first)
    drawn = first.R.randint(2**31)
    first.set_random_state(2)
    assert copy.R.randint(2**31) == second.R.randint(2**31) == drawn


def test_without_a_seed_each_draws_its_own():
    first, second = Reseeded().set_random_state(), Reseeded().set_random_state()
    assert first.R.randint(2**31) != second.R.randint(2**31)
