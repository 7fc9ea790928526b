"""The FFT is centred, orthonormal, and agrees with numpy and MONAI."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from monai.networks.blocks.fft_utils_t import fftn_centered_t, ifftn_centered_t

from bundle.fourier import (
    channels_to_complex,
    complex_to_channels,
    fft2c,
    ifft2c,
    magnitude,
    magnitude_image,
    mirrored,
    to_size,
)

SIZES = [(16, 24), (15, 21), (16, 9), (1, 7)]


@pytest.fixture(params=SIZES, ids=str)
def pair(request) -> tuple[torch.Tensor, torch.Tensor]:
    """Two complex stacks (3, h, w)."""
    generator = torch.Generator().manual_seed(0)
    first, second = (torch.randn(3, *request.param, dtype=torch.complex64, generator=generator) for _ in range(2))
    return first, second


def inner(a: torch.Tensor, b: torch.Tensor) -> torch.Tensor:
    return (a.conj() * b).sum()


def test_transform_keeps_the_energy(pair):
    image, _ = pair
    for transform in (fft2c, ifft2c):
        torch.testing.assert_close(transform(image).abs().square().sum(), image.abs().square().sum())


def test_inverse_transform_is_the_adjoint(pair):
    image, kspace = pair
    torch.testing.assert_close(inner(fft2c(image), kspace), inner(image, ifft2c(kspace)), rtol=1e-4, atol=1e-4)


def test_inverse_transform_undoes_the_transform_in_both_orders(pair):
    image, _ = pair
    torch.testing.assert_close(ifft2c(fft2c(image)), image)
    torch.testing.assert_close(fft2c(ifft2c(image)), image)


@pytest.mark.parametrize("size", SIZES, ids=str)
@pytest.mark.parametrize("transform", [fft2c, ifft2c])
def test_point_in_the_middle_becomes_a_constant_and_a_constant_a_point(transform, size):
    height, width = size
    point = torch.zeros(size, dtype=torch.complex64)
    point[height // 2, width // 2] = 1
    constant = torch.full(size, (height * width) ** -0.5, dtype=torch.complex64)
    torch.testing.assert_close(transform(point), constant)
    torch.testing.assert_close(transform(constant), point)


@pytest.mark.parametrize("size", SIZES, ids=str)
def test_shift_of_the_image_is_a_linear_phase_of_kspace(size):
    height, width = size
    image = torch.randn(size, generator=torch.Generator().manual_seed(1))
    down, right = 3, -2
    rows = torch.arange(height)[:, None] - height // 2
    columns = torch.arange(width) - width // 2
    phase = torch.exp(-2j * torch.pi * (rows * down / height + columns * right / width))
    torch.testing.assert_close(fft2c(image.roll((down, right), (0, 1))), phase * fft2c(image), rtol=1e-4, atol=1e-5)


def test_transforms_agree_with_numpy_and_with_monai(pair):
    image, _ = pair
    axes = (-2, -1)
    for ours, numpys, monais in ((fft2c, np.fft.fft2, fftn_centered_t), (ifft2c, np.fft.ifft2, ifftn_centered_t)):
        expected = np.fft.fftshift(numpys(np.fft.ifftshift(image.numpy(), axes), norm="ortho"), axes)
        np.testing.assert_allclose(ours(image).numpy(), expected, atol=1e-5)
        channels_last = monais(torch.view_as_real(image), spatial_dims=2, is_complex=True)
        torch.testing.assert_close(torch.view_as_real(ours(image)), channels_last)


def test_channels_are_real_and_imaginary_part_and_come_back(pair):
    image, _ = pair
    channels = complex_to_channels(image)
    assert channels.shape == (3, 2, *image.shape[1:]) and channels.dtype == torch.float32
    assert torch.equal(channels[:, 0], image.real) and torch.equal(channels[:, 1], image.imag)
    assert torch.equal(channels_to_complex(channels), image)


def test_complex_values_are_float32_also_from_half_precision():
    assert channels_to_complex(torch.ones(2, 4, 4, dtype=torch.bfloat16)).dtype == torch.complex64


def test_magnitude_image_is_that_of_the_inverse_transform(pair):
    image, _ = pair
    found = magnitude_image(complex_to_channels(fft2c(image)))
    assert found.shape == (3, 1, *image.shape[1:])
    torch.testing.assert_close(found[:, 0], image.abs())


def test_magnitude_is_the_norm_of_both_channels_and_has_a_gradient_where_there_is_no_signal():
    image = torch.randn(2, 2, 8, 6)
    torch.testing.assert_close(magnitude(image), torch.linalg.vector_norm(image, dim=1, keepdim=True))
    nothing = torch.zeros(1, 2, 4, 4, requires_grad=True)
    magnitude(nothing).sum().backward()
    assert torch.equal(nothing.grad, torch.zeros(1, 2, 4, 4))


@pytest.mark.parametrize("other", SIZES, ids=str)
@pytest.mark.parametrize("size", SIZES, ids=str)
def test_another_size_keeps_the_middle_where_it_is_and_pads_with_zeros(size, other):
    values = torch.complex(*torch.randn(2, 3, *size))
    changed = to_size(values, other)
    assert changed.shape == (3, *other)
    assert torch.equal(changed[:, other[0] // 2, other[1] // 2], values[:, size[0] // 2, size[1] // 2])
    if all(new >= old for old, new in zip(size, other)):
        assert torch.equal(to_size(changed, size), values)
        assert changed.count_nonzero() == values.count_nonzero()


@pytest.mark.parametrize("axes", [(-2,), (-1,), (-2, -1)])
def test_a_mirrored_kspace_is_that_of_the_mirrored_image_and_a_real_images_conjugate(pair, axes):
    image, _ = pair
    torch.testing.assert_close(fft2c(mirrored(image, axes)), mirrored(fft2c(image), axes), rtol=1e-4, atol=1e-5)
    assert torch.equal(mirrored(mirrored(image, axes), axes), image)
    kspace = fft2c(image.real)
    torch.testing.assert_close(mirrored(kspace), kspace.conj(), rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("size", SIZES, ids=str)
def test_mirroring_exchanges_what_lies_before_and_after_the_middle(size):
    for axis, length in zip((-2, -1), size):
        index = torch.arange(length) - length // 2
        places = index[:, None].expand(size) if axis == -2 else index.expand(size)
        inner = 2 * places.abs() < length  # of an even axis the first index has none opposite
        assert torch.equal(mirrored(places, (axis,))[inner], -places[inner])
