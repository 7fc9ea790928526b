"""The unrolled network on raw k-space: the same weights and the same image for one coil, and any matrix and coils."""

from __future__ import annotations

import pytest
import torch

from bundle.errors import BundleError
from bundle.fourier import complex_to_channels, fft2c
from bundle.networks import MANet, Unrolled, multicoil_network
from bundle.networks.smooth_phase import smooth_phase
from tests.bundle_runs import ROOT
from tests.networks.test_unrolled import trained


def coil_channels(values: torch.Tensor) -> torch.Tensor:
    """``(b, coils, h, w)`` complex to ``(b, 2 coils, h, w)``."""
    return complex_to_channels(values).flatten(1, 2)


def with_weights_of(network: Unrolled):
    found = multicoil_network(network.state_dict())
    found.load_state_dict(network.state_dict())
    return found.eval()


def test_one_coil_with_the_images_phase_gives_the_image_of_the_network_whose_weights_it_has():
    network, generator = trained(), torch.Generator().manual_seed(0)
    kspaces = torch.randn(2, 4, 32, 48, generator=generator)
    kspaces[:, 2:] *= torch.rand(2, 1, 32, 48, generator=generator) < 0.3
    maps = smooth_phase(kspaces[:, 2:])
    with torch.no_grad():
        expected, found = network(kspaces), with_weights_of(network)(torch.cat((kspaces, maps), 1))
    torch.testing.assert_close(found, expected, rtol=1e-3, atol=1e-4)


def test_the_shipped_weights_load_and_those_of_another_network_are_refused():
    weights = torch.load(ROOT / "models" / "model.pt", weights_only=True)
    network = multicoil_network(weights, iterations=3)
    assert network.iterations == 3
    network.load_state_dict(weights)
    single = Unrolled(**Unrolled.settings_from(weights))
    assert network.state_dict().keys() == weights.keys() == single.state_dict().keys()
    with pytest.raises(BundleError, match="x.pt is of another network than Unrolled, .* give models/model.pt"):
        multicoil_network(MANet(channels=2).state_dict(), "x.pt")


def test_any_matrix_and_number_of_coils_pass_and_a_coils_phase_of_its_own_changes_nothing():
    network, generator = with_weights_of(trained()), torch.Generator().manual_seed(0)
    image, maps = (torch.randn(1, coils, 29, 37, dtype=torch.complex64, generator=generator) for coils in (1, 3))
    maps = maps / torch.linalg.vector_norm(maps, dim=1, keepdim=True)
    measured = fft2c(maps * image) * (torch.rand(1, 1, 29, 37, generator=generator) < 0.5)
    t1 = torch.randn(1, 2, 29, 37, generator=generator)
    turn = torch.polar(torch.ones(3), torch.tensor([0.3, 1.0, -2.0]))[:, None, None]
    with torch.no_grad():
        found = network(torch.cat((t1, coil_channels(measured), coil_channels(maps)), 1))
        turned = network(torch.cat((t1, coil_channels(measured * turn), coil_channels(maps * turn)), 1))
    assert found.shape == (1, 1, 29, 37)
    torch.testing.assert_close(found, turned, rtol=1e-3, atol=1e-4)


@pytest.mark.parametrize("channels", [2, 4, 7])
def test_other_channels_are_refused_by_name(channels):
    with pytest.raises(BundleError, match=r"MulticoilUnrolled expects \(b, 2 \+ 4 coils, h, w\)"):
        with_weights_of(trained())(torch.zeros(1, channels, 16, 16))
