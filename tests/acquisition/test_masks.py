"""Masks are found by name; those that vary cover all families and accelerations, and a seed brings them back."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from bundle.acquisition.masks import VariedMask, effective_acceleration, make_mask, sampled_acceleration
from bundle.errors import BundleError

PATTERNS = ["random", "uniform", "radial", "spiral"]


def test_sampled_acceleration_counts_arrays_and_tensors():
    mask = np.zeros((4, 6), dtype=bool)
    mask[:, :2] = True
    assert sampled_acceleration(mask) == 3 and sampled_acceleration(torch.from_numpy(mask).float()) == 3
    with pytest.raises(BundleError, match="no point"):
        sampled_acceleration(np.zeros((4, 6)))


@pytest.mark.parametrize("width", [8, 9])
def test_of_hermitian_kspace_a_point_and_the_one_opposite_count_once(width):
    mask, middle = np.zeros((4, width), bool), width // 2
    mask[:, [middle, middle + 1, middle - 1, middle + 2]] = True  # the last tells the column at middle - 2, too
    assert effective_acceleration(mask, hermitian=False) == width / 4
    assert effective_acceleration(torch.from_numpy(mask), hermitian=True) == width / 5


@pytest.mark.parametrize("pattern", ["poisson", None, ["radial"]])
def test_unknown_pattern_is_refused_with_the_list_of_patterns(pattern):
    with pytest.raises(BundleError, match="random, uniform, radial, spiral, fastmri_random, fastmri_equispaced"):
        make_mask(pattern, 4)


def test_all_families_are_drawn_equally_often_and_accelerations_evenly():
    mask = VariedMask(PATTERNS, [3, 9])
    mask.set_random_state(seed=0)
    drawn = [mask.draw() for _ in range(2000)]
    counts = np.unique([type(one).__name__ for one in drawn], return_counts=True)[1]
    assert len(counts) == 4 and np.all(abs(counts - 500) < 80)
    accelerations = np.array([one.acceleration for one in drawn])
    assert 3 <= accelerations.min() < 3.1 and 8.9 < accelerations.max() <= 9
    assert accelerations.mean() == pytest.approx(6, abs=0.15)


def test_each_mask_has_the_acceleration_that_was_drawn_for_it():
    mask = VariedMask(PATTERNS, [3, 9])
    for seed in range(40):
        mask.set_random_state(seed=seed)
        drawn = mask.draw()
        mask.set_random_state(seed=seed)
        # 64 lines have room for whole lines only
        assert sampled_acceleration(mask.sample(64, 64)) == pytest.approx(drawn.acceleration, rel=0.08)


def test_a_seed_brings_family_acceleration_and_mask_back():
    mask, again = (VariedMask(PATTERNS, [3, 9]).set_random_state(seed=2) for _ in range(2))
    draws = [mask.sample(48, 40) for _ in range(6)]
    assert all(np.array_equal(sampled, again.sample(48, 40)) for sampled in draws)
    assert len({sampled.tobytes() for sampled in draws}) == 6


def test_a_range_that_is_none_is_refused():
    with pytest.raises(BundleError, match="varied acceleration is drawn between two numbers"):
        VariedMask(PATTERNS, [9, 3])


def test_a_varied_mask_whose_limits_cannot_exist_is_refused_at_once():
    with pytest.raises(BundleError, match="There is no mask pattern 'poisson'"):
        VariedMask(["random", "poisson"], [3, 9])
    with pytest.raises(BundleError, match="list of mask families"):
        VariedMask("random", [3, 9])
    with pytest.raises(BundleError, match="at least 1"):
        VariedMask(PATTERNS, [0.5, 9])
    with pytest.raises(BundleError, match="center_fraction"):
        VariedMask(PATTERNS, [3, 9], center_fraction=0.3)
