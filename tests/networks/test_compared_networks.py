"""The networks that MANet is compared with: the size their papers state, the same border, and what they look at."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from bundle.errors import BundleError
from bundle.networks import DuDoRNet, MANet, UNetT2, Xiang, ZeroFilled
from bundle.networks.inputs import sampled_points

SMALL = {"unet_t2": lambda: UNetT2(4), "xiang": lambda: Xiang(4), "dudornet": lambda: DuDoRNet(4, recurrences=2)}


@pytest.fixture
def image() -> torch.Tensor:
    """``(b, 4, h, w)``, a third of T2's k-space sampled."""
    generator = torch.Generator().manual_seed(0)
    both = torch.randn(2, 4, 32, 48, generator=generator)
    both[:, 2:] *= torch.rand(1, 1, 1, 48, generator=generator) < 1 / 3
    return both


@pytest.fixture(params=SMALL)
def network(request) -> torch.nn.Module:
    torch.manual_seed(0)
    return SMALL[request.param]()


def parameter_count(network: torch.nn.Module) -> int:
    return sum(parameter.numel() for parameter in network.parameters())


@pytest.mark.parametrize(("network", "count"), [(UNetT2, 7_756_097), (Xiang, 1_892_353), (DuDoRNet, 650_628)])
def test_each_network_has_the_parameters_that_are_stated_of_it(network, count):
    assert parameter_count(network()) == count


def test_in_eval_mode_each_network_returns_the_t2_image(network, image):
    with torch.no_grad():
        assert network.eval()(image).shape == (2, 1, 32, 48)


def test_each_network_computes_the_same_as_torchscript(network, image):
    network.eval()
    with torch.no_grad():
        torch.testing.assert_close(torch.jit.script(network)(image), network(image))


def test_every_parameter_of_each_network_receives_a_gradient(network, image):
    output = network.train()(image)
    tensors = output if isinstance(output, tuple) else (output,)
    sum(tensor.square().sum() for tensor in tensors).backward()
    assert [name for name, parameter in network.named_parameters() if parameter.grad is None] == []


def test_each_network_takes_an_empty_slice(network):
    with torch.no_grad():
        assert torch.isfinite(network.eval()(torch.zeros(1, 4, 16, 32))).all()


@pytest.mark.parametrize("network", [UNetT2(4), ZeroFilled()], ids=["unet_t2", "zero_filled"])
def test_networks_on_t2_alone_do_not_change_when_t1_does(network, image):
    other = image.clone()
    other[:, :2] += 1
    with torch.no_grad():
        assert torch.equal(network.eval()(image), network.eval()(other))


@pytest.mark.parametrize("name", ["xiang", "dudornet"])
def test_networks_with_a_guide_change_when_t1_does(name, image):
    torch.manual_seed(0)
    network = SMALL[name]().eval()
    other = image.clone()
    other[:, :2] += 1
    with torch.no_grad():
        assert not torch.allclose(network(image), network(other), rtol=1e-6, atol=0)


def test_zero_filling_is_the_magnitude_of_the_inverse_fft(image):
    values = np.fft.ifftshift(image[:, 2].numpy() + 1j * image[:, 3].numpy(), (-2, -1))
    expected = np.abs(np.fft.fftshift(np.fft.ifft2(values, norm="ortho"), (-2, -1)))
    np.testing.assert_allclose(ZeroFilled()(image)[:, 0].numpy(), expected, atol=1e-6)


def test_the_unet_follows_the_scale_of_its_input(image):
    torch.manual_seed(0)
    network = UNetT2(4).eval()
    with torch.no_grad():
        torch.testing.assert_close(network(5 * image), 5 * network(image), rtol=1e-4, atol=1e-4)


def test_dudornet_leaves_every_sampled_point_at_its_measured_value(image):
    torch.manual_seed(0)
    with torch.no_grad():
        kspace = DuDoRNet(4, recurrences=2).eval().run_recurrences(image).kspace
    sampled = sampled_points(image).expand_as(kspace)
    assert (kspace - image[:, 2:])[sampled].abs().max() <= 1e-6
    assert (kspace[~sampled] != 0).any()


def test_data_consistency_holds_in_the_images_between_the_two_networks(image):
    torch.manual_seed(0)
    with torch.no_grad():
        images = DuDoRNet(4, recurrences=2).eval().run_recurrences(image).images
    values = np.fft.ifftshift(images[:, :, 0].numpy() + 1j * images[:, :, 1].numpy(), (-2, -1))
    kspace = np.fft.fftshift(np.fft.fft2(values, norm="ortho"), (-2, -1))
    measured = image[:, 2].numpy() + 1j * image[:, 3].numpy()
    assert np.abs(np.where(measured != 0, kspace - measured, 0)).max() < 1e-5


def test_recurrences_share_their_weights():
    assert parameter_count(DuDoRNet(8, recurrences=1)) == parameter_count(DuDoRNet(8, recurrences=5))


def test_sampled_points_are_those_that_are_not_zero(image):
    expected = (image[:, 2:].numpy() != 0).any(axis=1, keepdims=True)
    np.testing.assert_array_equal(sampled_points(image).numpy(), expected)
    assert 0 < expected.mean() < 1


@pytest.mark.parametrize("network", [UNetT2(4), Xiang(4)], ids=["unet_t2", "xiang"])
def test_a_matrix_that_the_poolings_do_not_divide_is_refused(network):
    with pytest.raises(BundleError, match="divisible by 16, not 30 x 32"):
        network(torch.zeros(1, 4, 30, 32))


@pytest.mark.parametrize(
    "network", [UNetT2(4), Xiang(4), DuDoRNet(4), ZeroFilled(), MANet(4)], ids=lambda network: type(network).__name__
)
def test_a_tensor_without_both_kspaces_is_refused(network):
    with pytest.raises(BundleError, match=r"T1 and T2 k-space.*\(1, 3, 32, 32\)"):
        network(torch.zeros(1, 3, 32, 32))
