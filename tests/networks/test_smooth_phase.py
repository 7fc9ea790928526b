"""A smooth phase is found in the middle of k-space, and turning an image by it and back leaves the image."""

from __future__ import annotations

import math

import pytest
import torch

from bundle.fourier import channels_to_complex, complex_to_channels, fft2c
from bundle.networks.smooth_phase import smooth_phase, turned

HEIGHT, WIDTH = 64, 80


def image_with(phase: torch.Tensor) -> torch.Tensor:
    """An ellipse with detail, of that phase, as k-space ``(1, 2, h, w)``."""
    y, x = torch.linspace(-1, 1, HEIGHT)[:, None], torch.linspace(-1, 1, WIDTH)
    detail = 1 + 0.3 * torch.sin(40 * x) * torch.sin(31 * y)
    image = detail * ((y / 0.8) ** 2 + (x / 0.9) ** 2 < 1)
    return complex_to_channels(fft2c(torch.polar(image, phase)))[None]


@pytest.mark.parametrize("turns", [0.0, 0.5, 1.0])
def test_a_phase_that_turns_slowly_is_found_where_there_is_signal(turns):
    phase = 2 * math.pi * turns * torch.linspace(-0.5, 0.5, WIDTH).expand(HEIGHT, WIDTH) + 0.4
    found = channels_to_complex(smooth_phase(image_with(phase)))[0]
    inside = slice(16, -16), slice(16, -16)
    assert (found[inside] * torch.polar(torch.ones(HEIGHT, WIDTH), -phase)[inside]).angle().abs().max() < 0.15
    torch.testing.assert_close(found.abs(), torch.ones(HEIGHT, WIDTH))


def test_an_image_turned_and_turned_back_is_the_image():
    image, phase = torch.randn(2, 2, 8, 8), smooth_phase(torch.randn(2, 2, 8, 8))
    torch.testing.assert_close(turned(turned(image, phase), phase, back=True), image, atol=1e-5, rtol=1e-5)
    expected = channels_to_complex(image) * channels_to_complex(phase)
    torch.testing.assert_close(channels_to_complex(turned(image, phase)), expected)


def test_without_signal_the_phase_is_zero():
    assert torch.equal(smooth_phase(torch.zeros(1, 2, 8, 8))[0, 0], torch.ones(8, 8))
