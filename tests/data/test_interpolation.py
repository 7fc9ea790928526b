"""An empty border of k-space is found where an image was zero-filled or interpolated, and not where it was not."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from bundle.data.interpolation import empty_border
from bundle.fourier import fft2c, ifft2c
from tests.kspace.raw_files import slices_of_a_head


def noisy(height: int, width: int) -> np.ndarray:
    """Magnitude of a head with noise and detail up to the edge of k-space, rounded as in a file."""
    image = slices_of_a_head(3, height, width)
    noise = np.random.RandomState(0).normal(size=(2, *image.shape))
    return np.round(np.abs(image + 3 * noise[0] + 3j * noise[1])).astype(np.float32)


def zero_filled(image: np.ndarray, height: int, width: int) -> np.ndarray:
    kspace = fft2c(torch.from_numpy(image))
    rows, columns = (height - image.shape[1]) // 2, (width - image.shape[2]) // 2
    larger = ifft2c(torch.nn.functional.pad(kspace, (columns, columns, rows, rows)))
    return np.round(larger.abs().numpy() * 2)


def test_an_image_as_it_was_acquired_has_no_border():
    rows, columns = empty_border(noisy(96, 128))
    assert not rows.is_empty and not columns.is_empty and (rows.size, columns.size) == (96, 128)


@pytest.mark.parametrize("width", [176, 256])
def test_the_filled_lines_of_a_zero_filled_image_are_counted_along_that_axis_alone(width):
    rows, columns = empty_border(zero_filled(noisy(96, 128), 96, width))
    assert not rows.is_empty and columns.is_empty
    assert columns.filled == pytest.approx(128, abs=8) and columns.fall > 7


def test_linear_interpolation_leaves_a_border_too():
    image = torch.from_numpy(noisy(96, 96))[:, None]
    larger = torch.nn.functional.interpolate(image, (192, 192), mode="bilinear", align_corners=False)[:, 0].numpy()
    rows, columns = empty_border(larger)
    assert rows.is_empty and columns.is_empty


def test_short_axes_and_empty_images_say_nothing():
    assert not any(border.is_empty for border in empty_border(np.zeros((2, 64, 64), np.float32)))
    assert not any(border.is_empty for border in empty_border(zero_filled(noisy(12, 12), 24, 24)))
