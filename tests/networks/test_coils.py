"""The operator of several coils and its adjoint are a pair; with one coil it gives soft data consistency."""

from __future__ import annotations

import pytest
import torch

from bundle.fourier import complex_to_channels, fft2c
from bundle.networks.coils import CoilOperator
from bundle.networks.data_consistency import SoftDataConsistency


def random(*shape: int, seed: int = 0) -> torch.Tensor:
    return torch.randn(*shape, dtype=torch.complex64, generator=torch.Generator().manual_seed(seed))


@pytest.fixture(scope="module")
def operator() -> CoilOperator:
    maps = random(2, 3, 24, 17)
    maps = maps / torch.linalg.vector_norm(maps, dim=1, keepdim=True)
    return CoilOperator(maps, random(2, 1, 24, 17, seed=1).real > 0.4)


def inner(first: torch.Tensor, second: torch.Tensor) -> torch.Tensor:
    return (first.conj() * second).sum()


def test_forward_and_adjoint_are_an_adjoint_pair(operator):
    image, kspace = random(2, 24, 17, seed=2), random(2, 3, 24, 17, seed=3)
    torch.testing.assert_close(
        inner(operator.forward(image), kspace), inner(image, operator.adjoint(kspace)), rtol=1e-4, atol=1e-4
    )
    assert not torch.allclose(operator.adjoint(kspace), operator.adjoint(kspace.conj()))


def test_with_all_points_the_adjoint_is_the_inverse_and_with_some_it_only_takes_away(operator):
    image = random(2, 24, 17, seed=2)
    whole = CoilOperator(operator.maps, torch.ones_like(operator.sampled))
    torch.testing.assert_close(whole.normal(image), image, rtol=1e-4, atol=1e-5)
    taken = inner(image, operator.normal(image)).real
    assert 0 < taken < inner(image, image).real


def test_the_image_it_draws_to_solves_the_normal_equations(operator):
    image, truth = random(2, 24, 17, seed=2), random(2, 24, 17, seed=4)
    zero_filled, weight = operator.normal(truth), torch.tensor([0.3, 0.9])[:, None, None]
    found = operator.draw_towards(image, zero_filled, weight, 40)
    left = weight * (operator.normal(found) - zero_filled) + (1 - weight) * (found - image)
    assert left.abs().max() < 1e-5 * image.abs().max()
    assert torch.equal(operator.draw_towards(image, zero_filled, weight, 0), image)


@pytest.mark.parametrize("iterations", [1, 2, 5])
def test_with_one_coil_it_is_soft_data_consistency_from_the_first_iteration(iterations):
    sampled = random(2, 1, 16, 24, seed=1).real > 0
    measured, image = fft2c(random(2, 16, 24, seed=2))[:, None] * sampled, random(2, 16, 24, seed=3)
    operator = CoilOperator(torch.ones(2, 1, 16, 24, dtype=torch.complex64), sampled)
    soft, noise = SoftDataConsistency(0.7), torch.full((2, 1, 1, 1), 0.1)
    expected = soft(complex_to_channels(image), complex_to_channels(measured[:, 0]), sampled, noise)
    weight = soft.weight_at(noise)[:, 0]
    found = operator.draw_towards(image, operator.adjoint(measured), weight, iterations)
    torch.testing.assert_close(complex_to_channels(found), expected, rtol=1e-4, atol=1e-5)
