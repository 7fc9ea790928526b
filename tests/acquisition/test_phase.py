"""T2's phase: smooth, as strong as asked for, seen in k-space and not in the magnitude."""

from __future__ import annotations

import pytest
import torch

from bundle.acquisition import Acquisition, KspaceNoise, SmoothPhase, make_mask
from bundle.errors import BundleError
from bundle.fourier import channels_to_complex, fft2c

IMAGES = torch.rand(2, 3, 48, 64, generator=torch.Generator().manual_seed(0))  # T1, T2


def scan(level: float, noise: float = 0.1):
    phase = SmoothPhase(level)
    acquisition = Acquisition(make_mask("random", 4), KspaceNoise(noise), phase=phase).set_random_state(seed=3)
    return acquisition, acquisition(*IMAGES)


def asymmetry(kspace: torch.Tensor) -> float:
    """How far points are from the complex conjugate of those opposite, over their magnitude."""
    mirrored = kspace.flip(-2, -1).roll((1, 1), (-2, -1)).conj()
    return float((kspace - mirrored).abs().norm() / kspace.abs().norm())


def test_the_phase_has_the_spread_asked_for_and_is_smooth():
    phase = SmoothPhase(0.7).set_random_state(seed=0).sample(96, 80)
    assert phase.std().item() == pytest.approx(0.7, rel=1e-3) and abs(phase.mean().item()) < 1e-4
    assert max(phase.diff(dim=dim).abs().max().item() for dim in (0, 1)) < 0.15


def test_the_magnitude_stays_and_kspace_is_hermitian_only_without_phase():
    image = SmoothPhase(1.0).set_random_state(seed=0)(IMAGES[1])
    torch.testing.assert_close(image.abs(), IMAGES[1])
    assert asymmetry(fft2c(IMAGES[1])) < 1e-5 and asymmetry(fft2c(image)) > 0.3
    assert torch.equal(SmoothPhase(0)(IMAGES[1]), IMAGES[1])


def test_a_scan_with_phase_has_the_mask_and_the_noise_of_one_without():
    (plain, without), (phased, with_phase) = scan(0), scan(0.8)
    assert plain.is_hermitian and not phased.is_hermitian
    assert torch.equal(without.mask, with_phase.mask) and torch.equal(without.image[:, :2], with_phase.image[:, :2])
    noise = [
        (channels_to_complex(each.image[:, 2:]) - channels_to_complex(each.full_kspace[:, 2:]) * each.mask) * each.scale
        for each in (without, with_phase)
    ]
    torch.testing.assert_close(noise[0], noise[1], rtol=0, atol=1e-5)


def test_another_seed_is_another_phase_and_an_impossible_level_is_refused():
    first, again, other = (SmoothPhase(1.0).set_random_state(seed=seed).sample(8, 8) for seed in (0, 0, 1))
    assert torch.equal(first, again) and not torch.equal(first, other)
    with pytest.raises(BundleError, match="phase_level is a number, 0"):
        SmoothPhase(-1)
