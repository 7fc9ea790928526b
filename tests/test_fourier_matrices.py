"""The transform by matrices is the FFT of bundle.fourier, whatever the size, and what an export contains."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from bundle import fourier
from bundle.compute.onnx_network import OnnxNetwork
from bundle.fourier_matrices import transform
from bundle.networks.data_consistency import measured_noise
from bundle.networks.inputs import sampled_points, t2_kspace
from tests.onnx_files import CLOSE, difference, need_onnx, write_onnx


@pytest.mark.parametrize("size", [(16, 16), (16, 48), (256, 32), (80, 176)], ids=str)
@pytest.mark.parametrize(("inverse", "expected"), [(True, fourier.to_image), (False, fourier.to_kspace)])
def test_it_is_the_centred_orthonormal_fft(inverse, expected, size):
    channels = torch.randn(2, 2, *size, generator=torch.Generator().manual_seed(0))
    torch.testing.assert_close(transform(channels, inverse), expected(channels), atol=5e-6, rtol=0)


def test_it_is_exact_for_large_matrices_too():
    channels = torch.zeros(1, 2, 1024, 16)
    channels[0, 0, 1023, 15] = 1  # the highest frequency: the largest phases
    torch.testing.assert_close(transform(channels, True), fourier.to_image(channels), atol=1e-7, rtol=0)


class _Physics(nn.Module):
    """The zero-filled image in units of its noise."""

    def forward(self, image: torch.Tensor) -> torch.Tensor:
        measured = t2_kspace(image)
        return fourier.magnitude_image(measured) / measured_noise(measured, sampled_points(image))


def test_the_physics_is_exported_to_one_file_for_all_sizes(tmp_path):
    need_onnx()
    path = write_onnx(_Physics(), tmp_path / "physics.onnx")
    found = OnnxNetwork(path.read_bytes(), path.name)
    for shape in ((1, 4, 64, 16), (3, 4, 32, 80)):
        assert difference(found, _Physics(), *shape) < CLOSE
