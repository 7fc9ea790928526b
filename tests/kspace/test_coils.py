"""Coils combined by the sensitivities found in their scan give the image that was known."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from bundle.fourier import ifft2c
from bundle.kspace import combine, estimate_maps
from bundle.kspace.sampling import find_sampling
from bundle.networks.coils import CoilOperator
from tests.kspace.raw_files import coil_maps, kspace_of, slices_of_a_head

SIZE = 128
LINES = [column for column in range(SIZE) if column % 4 == 0 or 52 <= column < 76]


@pytest.fixture(scope="module")
def image() -> np.ndarray:
    return slices_of_a_head(1, SIZE, SIZE)


def scanned(image: np.ndarray, coils: int, columns=slice(None)):
    """Its k-space with a smooth phase, and how it was sampled."""
    y, x = np.mgrid[-1 : 1 : SIZE * 1j, -1 : 1 : SIZE * 1j]
    mask = np.zeros(SIZE, dtype=bool)
    mask[columns] = True
    kspace = torch.from_numpy(kspace_of(image * np.exp(1j * (2 * x + y * y)), coils) * mask)
    return kspace, find_sampling(kspace.abs().square().sum(dim=(0, 1)).sqrt().numpy())[0]


def test_with_known_maps_the_combined_image_is_the_known_one(image):
    kspace = torch.from_numpy(kspace_of(image, 8))
    combined = combine(ifft2c(kspace), torch.from_numpy(coil_maps(8, SIZE, SIZE)))
    np.testing.assert_allclose(combined.numpy(), image, atol=1e-4 * image.max())


@pytest.mark.parametrize("coils", [1, 4, 8])
def test_with_maps_of_a_full_scan_it_is_the_known_one_to_1e_4_and_real(image, coils):
    kspace, sampling = scanned(image, coils)
    combined = combine(ifft2c(kspace), estimate_maps(kspace, sampling))
    np.testing.assert_allclose(combined.abs().numpy(), image, atol=1e-4 * image.max())
    assert combined.angle()[torch.from_numpy(image) > 10].abs().max() < 0.3


def test_maps_of_the_centre_of_an_undersampled_scan_come_near_and_take_aliasing_away(image):
    kspace, sampling = scanned(image, 8, LINES)
    maps = estimate_maps(kspace, sampling)
    torch.testing.assert_close(torch.linalg.vector_norm(maps, dim=1), torch.ones(1, SIZE, SIZE), rtol=1e-5, atol=1e-5)
    whole, _ = scanned(image, 8)
    off = combine(ifft2c(whole), maps).abs().numpy() - image
    assert np.linalg.norm(off) < 1e-3 * np.linalg.norm(image)
    operator = CoilOperator(maps, torch.from_numpy(sampling.acquired)[None, None])
    zero_filled = operator.adjoint(kspace)
    solved = operator.draw_towards(zero_filled, zero_filled, torch.tensor(0.999), 15)
    errors = [np.linalg.norm(found.abs().numpy() - image) for found in (zero_filled, solved)]
    assert errors[1] < 0.75 * errors[0]


def test_slices_of_air_give_finite_maps():
    kspace, sampling = scanned(slices_of_a_head(1, SIZE, SIZE), 4)
    assert torch.isfinite(torch.view_as_real(estimate_maps(torch.zeros_like(kspace), sampling))).all()


def test_the_coils_of_a_real_scan_combine_to_nearly_their_root_sum_of_squares(shared_data):
    kspace = torch.from_numpy(np.load(shared_data / "raw-kspace" / "sigpy-brain-8ch" / "kspace.npy"))[None]
    sampling, _ = find_sampling(kspace.abs().square().sum(dim=(0, 1)).sqrt().numpy())
    combined = combine(ifft2c(kspace), estimate_maps(kspace, sampling)).abs()
    root = torch.linalg.vector_norm(ifft2c(kspace), dim=1)
    assert torch.corrcoef(torch.stack((combined.flatten(), root.flatten())))[0, 1] > 0.97
    head = root > 0.2 * root.max()
    assert combined[~head].mean() / combined[head].mean() < root[~head].mean() / root[head].mean()  # less noise in air
