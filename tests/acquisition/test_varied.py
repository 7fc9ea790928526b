"""Scans that vary cover all families, accelerations and noise levels, and a seed brings each of them back."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from bundle.acquisition.masks import VariedMask, sampled_acceleration
from bundle.acquisition.noise import VariedNoise
from bundle.acquisition.scan import Acquisition
from bundle.errors import BundleError
from bundle.fourier import fft2c

PATTERNS = ["random", "uniform", "radial", "spiral"]


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


def test_noise_levels_cover_their_range_evenly():
    noise = VariedNoise([0, 0.1])
    noise.set_random_state(seed=0)
    image = torch.ones(32, 32)
    kspace = fft2c(image)
    levels = [(noise(kspace, image) - kspace).real.std().item() for _ in range(300)]
    assert min(levels) < 0.003 and max(levels) > 0.097
    assert np.mean(levels) == pytest.approx(0.05, abs=0.006)


def test_a_seed_brings_the_whole_scan_back():
    acquisition = Acquisition(VariedMask(PATTERNS, [3, 9]), VariedNoise([0, 0.1]))
    t1, t2 = torch.rand(2, 32, 48, generator=torch.Generator().manual_seed(0)).unbind()
    first, again, other = (acquisition.set_random_state(seed=seed)(t1, t2) for seed in (1, 1, 2))
    assert torch.equal(first.image, again.image)
    assert not torch.equal(first.mask, other.mask)


@pytest.mark.parametrize("limits", [3, "3", [3], [9, 3], [3, None], None, [3, float("inf")], [-1, 3]])
def test_a_range_that_is_none_is_refused(limits):
    with pytest.raises(BundleError, match="between two numbers"):
        VariedNoise(limits)
    with pytest.raises(BundleError, match="between two numbers"):
        VariedMask(PATTERNS, limits)


def test_a_mask_that_cannot_exist_is_refused_at_once():
    with pytest.raises(BundleError, match="There is no mask pattern 'poisson'"):
        VariedMask(["random", "poisson"], [3, 9])
    with pytest.raises(BundleError, match="list of mask families"):
        VariedMask("random", [3, 9])
    with pytest.raises(BundleError, match="at least 1"):
        VariedMask(PATTERNS, [0.5, 9])
    with pytest.raises(BundleError, match="center_fraction"):
        VariedMask(PATTERNS, [3, 9], center_fraction=0.3)
