"""The unrolled network keeps to its border, starts from the zero-filled image, and takes other regularisers."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from bundle.errors import BundleError
from bundle.fourier import magnitude_image, to_kspace
from bundle.networks import Unrolled
from bundle.networks.attention import SpatialAttention
from bundle.networks.inputs import sampled_points
from bundle.networks.residual_unet import ResidualBlock, ResidualUNet


@pytest.fixture(scope="module")
def kspaces() -> torch.Tensor:
    generator = torch.Generator().manual_seed(0)
    image = torch.randn(2, 4, 32, 48, generator=generator)
    image[:, 2:] *= torch.rand(2, 1, 32, 48, generator=generator) < 0.3
    return image


def trained(**settings) -> Unrolled:
    """With weights as after a training: none of them zero."""
    torch.manual_seed(0)
    network = Unrolled(**{"cascades": 2, "widths": [4, 6, 8]} | settings).eval()
    for regulariser in network.regularisers:
        if isinstance(regulariser, ResidualUNet):
            nn.init.normal_(regulariser.head.weight, std=0.05)
    return network


def test_it_has_the_parameters_that_the_docs_give():
    assert sum(parameter.numel() for parameter in Unrolled().parameters()) == 1_241_890


def test_untrained_it_returns_the_zero_filled_image(kspaces):
    with torch.no_grad():
        torch.testing.assert_close(Unrolled(2, [4, 6])(kspaces), magnitude_image(kspaces[:, 2:]), atol=1e-5, rtol=1e-4)


def test_t1_changes_the_image_and_every_parameter_but_the_noises_slopes_learns(kspaces):
    network = trained()
    other = kspaces.clone()
    other[:, :2] += 1
    image = network(kspaces)
    assert image.shape == (2, 1, 32, 48) and not torch.allclose(image, network(other))
    image.square().mean().backward()
    assert [name for name, value in network.named_parameters() if value.grad is None] == []


def test_a_phase_of_the_whole_image_comes_out_as_it_went_in_and_changes_no_correction(kspaces):
    turned = kspaces.clone()
    turned[:, 2], turned[:, 3] = -kspaces[:, 3], kspaces[:, 2]  # times i
    network = trained()
    with torch.no_grad():
        image, other = network.reconstruct(kspaces), network.reconstruct(turned)
    torch.testing.assert_close(torch.stack((-image[:, 1], image[:, 0]), 1), other, atol=1e-5, rtol=1e-4)


def test_with_full_weight_the_measured_points_are_in_the_result(kspaces):
    network = trained()
    with torch.no_grad():
        for consistency in network.consistencies:
            consistency.offset.fill_(40.0)
        kspace = to_kspace(network.reconstruct(kspaces))
    sampled = sampled_points(kspaces).expand_as(kspace)
    torch.testing.assert_close(kspace[sampled], kspaces[:, 2:][sampled], atol=1e-4, rtol=1e-4)


@pytest.mark.parametrize("settings", [{}, {"guidance": "CS"}, {"instance_norm": True}], ids=str)
def test_torchscript_computes_the_same(kspaces, settings):
    network = trained(**settings)
    with torch.no_grad():
        torch.testing.assert_close(torch.jit.script(network)(kspaces), network(kspaces))


def test_any_module_with_the_right_channels_can_be_a_cascades_network(kspaces):
    network = trained(regulariser=lambda inputs, outputs: nn.Conv2d(inputs, outputs, 3, padding=1), memory=1)
    assert {(conv.in_channels, conv.out_channels) for conv in network.regularisers} == {(6, 3)}
    assert network(kspaces).shape == (2, 1, 32, 48)


def test_attention_on_t1_changes_the_image_and_all_its_parameters_learn(kspaces):
    network = trained(guidance="CS")
    image = network(kspaces)
    image.square().mean().backward()
    assert [name for name, value in network.named_parameters() if value.grad is None] == []
    for module in network.modules():
        if isinstance(module, SpatialAttention):
            nn.init.constant_(module.conv.weight, 1.0)
    assert not torch.allclose(image, network(kspaces))


def test_with_instance_norm_a_block_adds_the_same_whatever_the_scale_of_its_features():
    torch.manual_seed(0)
    block, features = ResidualBlock(4, instance_norm=True), torch.randn(2, 4, 16, 24)
    nn.init.zeros_(block.first.bias)
    added = block(features) - features
    torch.testing.assert_close(block(100 * features) - 100 * features, added, atol=1e-4, rtol=1e-3)
    assert added.std() > 0.1


def test_with_instance_norm_it_starts_from_the_zero_filled_image_and_every_parameter_learns(kspaces):
    untrained, network = Unrolled(2, [4, 6], instance_norm=True), trained(instance_norm=True)
    with torch.no_grad():
        torch.testing.assert_close(untrained(kspaces), magnitude_image(kspaces[:, 2:]), atol=1e-5, rtol=1e-4)
    network(kspaces).square().mean().backward()
    assert [name for name, value in network.named_parameters() if value.grad is None] == []


def test_an_unknown_guidance_is_refused():
    with pytest.raises(BundleError, match="CS, SC, SC-CS, or concatenation; not 'CSS'"):
        Unrolled(guidance="CSS")
    with pytest.raises(BundleError, match="leave it out, or the regulariser"):
        Unrolled(regulariser=nn.Conv2d, guidance="CS")
    with pytest.raises(BundleError, match="instance_norm is of Unrolled's own U-Net"):
        Unrolled(regulariser=nn.Conv2d, instance_norm=True)


@pytest.mark.parametrize("instance_norm", [False, True])
def test_an_empty_slice_stays_empty_and_finite(instance_norm):
    assert trained(instance_norm=instance_norm)(torch.zeros(1, 4, 32, 32)).isfinite().all()


def test_a_matrix_that_its_levels_do_not_divide_is_refused():
    with pytest.raises(BundleError, match="Unrolled .* divisible by 8, not 20 x 32"):
        Unrolled()(torch.zeros(1, 4, 20, 32))
