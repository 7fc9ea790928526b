"""Noise has the deviation asked for, per part and in both domains; its magnitude is Rayleigh and Rician."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from bundle.acquisition.noise import KspaceNoise, VariedNoise
from bundle.errors import BundleError
from bundle.fourier import fft2c, ifft2c

SIZE = (256, 320)
MEAN = 40.0


def half_full(size: tuple[int, int] = SIZE) -> torch.Tensor:
    """Magnitude image of mean 40: 80 on the left half, air on the right."""
    image = torch.zeros(size)
    image[:, : size[1] // 2] = 2 * MEAN
    return image


def draw(level: float, image: torch.Tensor, seed: int = 0, unit: str = "mean") -> torch.Tensor:
    noise = KspaceNoise(level, unit)
    noise.set_random_state(seed=seed)
    kspace = fft2c(image)
    return noise(kspace, image) - kspace


@pytest.mark.parametrize("level", [0.05, 0.1, 0.5])
def test_deviation_of_each_part_is_level_times_mean_voxel_in_both_domains(level):
    added = draw(level, half_full())
    for values in (added, ifft2c(added)):
        for part in (values.real, values.imag):
            assert part.std().item() == pytest.approx(level * MEAN, rel=0.01)
            assert abs(part.mean().item()) < 0.02 * level * MEAN
        correlation = np.corrcoef(values.real.ravel(), values.imag.ravel())[0, 1]
        assert abs(correlation) < 0.02


def test_mean_over_the_foreground_leaves_out_voxels_of_zero():
    image = half_full()
    assert draw(0.1, image, unit="foreground_mean").real.std().item() == pytest.approx(0.2 * MEAN, rel=0.01)
    assert KspaceNoise(0.1, "foreground_mean").sigma(torch.zeros(4, 4)).item() == 0


def test_a_ratio_in_decibels_is_that_of_mean_powers():
    image = half_full()
    power = draw(20, image, unit="snr_db").abs().square().mean().item()
    assert 10 * np.log10(image.square().mean().item() / power) == pytest.approx(20, abs=0.05)
    assert KspaceNoise(20, "snr_db").sigma(torch.zeros(4, 4)).item() == 0


def test_magnitude_of_noise_alone_is_rayleigh_and_with_a_signal_rician():
    sigma = 0.1 * MEAN
    image = half_full()
    magnitude = ifft2c(fft2c(image) + draw(0.1, image)).abs()
    signal, air = magnitude.chunk(2, dim=-1)
    assert air.mean().item() == pytest.approx(1.2533 * sigma, rel=0.01)
    assert air.std().item() == pytest.approx(0.6551 * sigma, rel=0.01)
    # second moment of the Rice distribution: signal^2 + 2 sigma^2
    assert signal.square().mean().item() == pytest.approx((2 * MEAN) ** 2 + 2 * sigma**2, rel=1e-3)
    assert signal.mean().item() > 2 * MEAN


def test_level_zero_changes_nothing():
    image = half_full()
    assert torch.count_nonzero(draw(0, image)) == 0


def test_seed_brings_the_noise_back_and_draws_differ():
    image = half_full((32, 32))
    assert torch.equal(draw(0.1, image, seed=3), draw(0.1, image, seed=3))
    assert not torch.equal(draw(0.1, image, seed=3), draw(0.1, image, seed=4))
    noise = KspaceNoise(0.1)
    noise.set_random_state(seed=0)
    first, second = (noise(fft2c(image), image) for _ in range(2))
    assert not torch.equal(first, second)


def test_global_random_state_of_torch_is_neither_used_nor_changed():
    image = half_full((32, 32))
    torch.manual_seed(0)
    before = torch.get_rng_state()
    first = draw(0.1, image)
    assert torch.equal(torch.get_rng_state(), before)
    torch.manual_seed(1)
    assert torch.equal(draw(0.1, image), first)


def test_each_slice_of_a_stack_gets_noise_of_its_own_mean():
    image = half_full()
    added = draw(0.1, torch.stack((image, 3 * image, 0 * image)))
    deviations = added.real.std(dim=(-2, -1))
    np.testing.assert_allclose(deviations, [4, 12, 0], rtol=0.01)
    assert abs(np.corrcoef(added[0].real.ravel(), added[1].real.ravel())[0, 1]) < 0.02


@pytest.mark.parametrize("level", [-0.1, float("nan"), float("inf"), "0.1", None])
def test_impossible_level_is_refused(level):
    with pytest.raises(BundleError, match="noise_level is a number, 0"):
        KspaceNoise(level)


def test_an_unknown_unit_is_refused():
    with pytest.raises(BundleError, match="noise_unit is one of mean, foreground_mean, snr_db; not 'brain'"):
        KspaceNoise(0.1, "brain")


@pytest.mark.parametrize("level", [0, 0.1])
def test_a_level_that_was_not_meant_as_a_ratio_is_refused(level):
    with pytest.raises(BundleError, match="would bury the image in noise; give the ratio in decibels"):
        KspaceNoise(level, "snr_db")


def test_noise_levels_cover_their_range_evenly():
    noise = VariedNoise([0, 0.1])
    noise.set_random_state(seed=0)
    image = torch.ones(32, 32)
    kspace = fft2c(image)
    levels = [(noise(kspace, image) - kspace).real.std().item() for _ in range(300)]
    assert min(levels) < 0.003 and max(levels) > 0.097
    assert np.mean(levels) == pytest.approx(0.05, abs=0.006)


def test_a_range_that_is_none_is_refused():
    with pytest.raises(BundleError, match="varied noise level is drawn between two numbers"):
        VariedNoise([0.1, 0])
