"""Data consistency touches sampled points alone, and its weight says how far."""

from __future__ import annotations

import pytest
import torch

from bundle.fourier import to_image, to_kspace
from bundle.networks.data_consistency import SoftDataConsistency, hard_data_consistency, measured_noise


@pytest.fixture
def scan() -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """An image, the k-space of another one where it was sampled, and the mask."""
    generator = torch.Generator().manual_seed(0)
    image, other = torch.randn(2, 2, 2, 24, 32, generator=generator)
    sampled = torch.rand(2, 1, 24, 32, generator=generator) < 0.4
    return image, to_kspace(other) * sampled, sampled


def soft(weight: float, scan, noise: float = 1.0) -> torch.Tensor:
    with torch.no_grad():
        return to_kspace(SoftDataConsistency(weight)(*scan, torch.full((2, 1, 1, 1), noise)))


def test_image_and_kspace_are_inverse_and_keep_the_energy(scan):
    image = scan[0]
    torch.testing.assert_close(to_image(to_kspace(image)), image)
    torch.testing.assert_close(to_kspace(image).square().sum(), image.square().sum())


@pytest.mark.parametrize("weight", [0.1, 0.5, 0.9])
def test_a_sampled_point_moves_by_the_weight_towards_its_measurement_and_no_other_moves(scan, weight):
    image, measured, sampled = scan
    before, after = to_kspace(image), soft(weight, scan)
    expected = torch.where(sampled, before + weight * (measured - before), before)
    torch.testing.assert_close(after, expected, atol=1e-5, rtol=1e-5)


def test_at_weight_1_soft_is_hard_and_returns_the_measurement(scan):
    image, measured, sampled = scan
    hard = hard_data_consistency(to_kspace(image), measured, sampled)
    torch.testing.assert_close(soft(1 - 1e-7, scan), hard, atol=1e-5, rtol=1e-5)
    assert torch.equal(hard[sampled.expand_as(hard)], measured[sampled.expand_as(hard)])


def test_an_image_that_agrees_with_the_measurement_stays(scan):
    image, _, sampled = scan
    consistent = image, to_kspace(image) * sampled, sampled
    torch.testing.assert_close(soft(0.7, consistent), to_kspace(image), atol=1e-5, rtol=1e-5)


def test_the_weight_follows_the_noise_by_a_power_that_is_learned(scan):
    consistency = SoftDataConsistency(0.5)
    with torch.no_grad():
        consistency.slope.fill_(-1.0)  # odds 1 / noise
        image, measured, sampled = scan
        moved = to_kspace(consistency(*scan, torch.full((2, 1, 1, 1), 3.0)))
    expected = to_kspace(image) + 0.25 * (measured - to_kspace(image)) * sampled
    torch.testing.assert_close(moved, expected, atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize("level", [0.01, 0.3])
def test_the_noise_of_outer_kspace_is_measured_whatever_the_mask(level):
    generator = torch.Generator().manual_seed(0)
    kspace = level * torch.randn(1, 2, 128, 128, generator=generator)
    kspace[..., 44:84, 44:84] += 50  # the middle, which has signal, does not count
    for share in (0.1, 1.0):
        sampled = torch.rand(1, 1, 128, 128, generator=generator) < share
        assert measured_noise(kspace * sampled, sampled).item() == pytest.approx(level * 2**0.5, rel=0.05)


def test_where_outer_kspace_was_not_sampled_the_noise_is_next_to_nothing_and_not_zero():
    nothing = torch.zeros(1, 1, 16, 16, dtype=torch.bool)
    assert 0 < measured_noise(torch.zeros(1, 2, 16, 16), nothing).item() < 1e-3
