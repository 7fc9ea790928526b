"""MANet computes the published function, takes what it should and refuses the rest."""

from __future__ import annotations

import importlib.util
import json
from pathlib import Path

import numpy as np
import pytest
import torch

from bundle.errors import BundleError
from bundle.networks import MANet, MANetOutput
from bundle.networks.attention import T1GuidedAttention
from bundle.networks.published_weights import convert_reference_state_dict


def parameter_count(network: torch.nn.Module) -> int:
    return sum(parameter.numel() for parameter in network.parameters())


@pytest.fixture(scope="module")
def small() -> MANet:
    torch.manual_seed(0)
    return MANet(channels=4)


@pytest.fixture(scope="module")
def kspaces() -> torch.Tensor:
    return torch.randn(2, 4, 32, 48, generator=torch.Generator().manual_seed(0))


def test_manet_with_64_features_has_the_live_parameters_of_the_published_network():
    assert parameter_count(MANet()) == 7_283_670


@pytest.fixture(scope="module")
def reference(shared_reference: Path) -> tuple[MANet, dict[str, torch.Tensor]]:
    specification = importlib.util.spec_from_file_location("fill", shared_reference / "fill_state_dict.py")
    fill = importlib.util.module_from_spec(specification)
    specification.loader.exec_module(fill)
    vectors = dict(np.load(shared_reference / "manet_vectors.npz"))
    shapes = json.loads((shared_reference / "manet_state_dict_shapes.json").read_text())
    published = {}
    for offset, prefix in enumerate(("UNet_k.", "UNet_img.")):
        stage = {key.removeprefix(prefix): shape for key, shape in shapes.items() if key.startswith(prefix)}
        filled = fill.fill_state_dict(stage, float(vectors["salt"]) + offset)
        published |= {prefix + key: value for key, value in filled.items()}
    network = MANet().eval()
    network.load_state_dict(convert_reference_state_dict(published))
    return network, {key: torch.from_numpy(np.asarray(value)) for key, value in vectors.items()}


@pytest.mark.parametrize(
    ("stage", "inputs", "outputs"),
    [
        ("kspace_stage", ("kspace_t1_in", "kspace_t2_in"), ("kspace_t1_out", "kspace_t2_out")),
        ("image_stage", ("kspace_t1_in", "kspace_t2_in"), ("image_t1_direct", "image_t2_direct")),
    ],
)
def test_each_stage_agrees_with_the_published_network(reference, stage, inputs, outputs):
    network, vectors = reference
    channels = 2 if stage == "kspace_stage" else 1
    with torch.no_grad():
        results = getattr(network, stage)(*(vectors[name][:, :channels] for name in inputs))
    for result, name in zip(results, outputs):
        torch.testing.assert_close(result, vectors[name], atol=1e-5, rtol=0)


def test_both_stages_in_a_row_agree_with_the_published_network_through_its_own_fft(reference):
    network, vectors = reference
    with torch.no_grad():
        kspaces = network.kspace_stage(vectors["kspace_t1_in"], vectors["kspace_t2_in"])
        images = [torch.fft.ifft2(torch.complex(k[:, 0], k[:, 1])).abs()[:, None] for k in kspaces]
        results = network.image_stage(*images)
    for result, name in zip(results, ("image_t1_out", "image_t2_out")):
        torch.testing.assert_close(result, vectors[name], atol=1e-5, rtol=0)


def test_a_foreign_state_dict_is_refused():
    with pytest.raises(BundleError, match="encoder.weight"):
        convert_reference_state_dict({"encoder.weight": torch.zeros(1)})


def test_training_returns_both_domains_and_evaluation_the_t2_image(small, kspaces):
    trained = small.train()(kspaces)
    assert isinstance(trained, MANetOutput)
    assert [tuple(output.shape) for output in trained] == [(2, 2, 32, 48)] * 2 + [(2, 1, 32, 48)] * 2
    assert small.eval()(kspaces).shape == (2, 1, 32, 48)


def test_the_image_stage_sees_the_inverse_fft_of_the_kspace_stage(small, kspaces):
    small.eval()
    with torch.no_grad():
        output = small.run_stages(kspaces)
        t1, t2 = (k.numpy() for k in (output.t1_kspace, output.t2_kspace))
        images = [
            np.abs(np.fft.ifft2(np.fft.ifftshift(k[:, 0] + 1j * k[:, 1], axes=(-2, -1)), norm="ortho"))
            for k in (t1, t2)
        ]
        images = [np.fft.fftshift(image, axes=(-2, -1))[:, None].astype("float32") for image in images]
        expected = small.image_stage(*map(torch.from_numpy, images))
    torch.testing.assert_close(output.t2_image, expected[1], atol=1e-5, rtol=1e-4)


def test_the_t1_stream_does_not_see_t2(small, kspaces):
    small.eval()
    other = kspaces.clone()
    other[:, 2:] += 1
    with torch.no_grad():
        first, second = small.run_stages(kspaces), small.run_stages(other)
    torch.testing.assert_close(first.t1_image, second.t1_image)
    assert not torch.allclose(first.t2_image, second.t2_image)


def test_every_parameter_receives_a_gradient(kspaces):
    torch.manual_seed(0)
    network = MANet(channels=16)
    sum(output.square().sum() for output in network(kspaces)).backward()
    idle = [name for name, parameter in network.named_parameters() if parameter.grad is None]
    assert idle == []


def test_the_ablation_without_kspace_stage_has_the_image_stage_alone():
    network = MANet(channels=4, stage="image")
    assert all(name.startswith("image_stage.") for name, _ in network.named_parameters())
    assert network.eval()(torch.randn(1, 4, 16, 32)).shape == (1, 1, 16, 32)


@pytest.mark.parametrize("guidance", ["CS", "SC", "SC-CS", "concatenation"])
def test_every_kind_of_guidance_lets_t1_change_t2_and_runs_as_torchscript(guidance, kspaces):
    torch.manual_seed(0)
    network = MANet(channels=4, depth=2, guidance=guidance).eval()
    other = kspaces.clone()
    other[:, :2] += 1
    with torch.no_grad():
        assert not torch.allclose(network(kspaces), network(other))
        torch.testing.assert_close(torch.jit.script(network)(kspaces), network(kspaces))


def test_the_order_of_attentions_is_what_its_name_says():
    orders = {name: [type(part).__name__[0] for part in T1GuidedAttention(4, name)] for name in ("CS", "SC", "SC-CS")}
    assert orders == {"CS": ["C", "S"], "SC": ["S", "C"], "SC-CS": ["S", "C", "C", "S"]}


def test_without_attention_the_features_are_concatenated_and_nothing_is_attended():
    stage = MANet(channels=4, guidance="concatenation").image_stage
    assert parameter_count(stage.attentions) == 0
    features, guide = torch.randn(1, 4, 8, 8), torch.randn(1, 4, 8, 8)
    fusion = stage.t2_stream.encoder_fusions[0]
    expected = torch.nn.functional.conv2d(torch.cat((features, guide), 1), fusion.conv.weight, fusion.conv.bias)
    torch.testing.assert_close(fusion(features, [guide], 0), expected)


def test_depth_sets_which_sizes_are_accepted():
    assert MANet(channels=4, depth=2).eval()(torch.randn(1, 4, 12, 20)).shape == (1, 1, 12, 20)


@pytest.mark.parametrize(("shape", "sentence"), [((1, 4, 30, 32), "30 x 32"), ((1, 3, 32, 32), r"\(1, 3, 32, 32\)")])
def test_a_wrong_input_is_refused_with_what_was_expected(small, shape, sentence):
    with pytest.raises(BundleError, match=sentence):
        small(torch.zeros(shape))


def test_an_unknown_stage_is_refused():
    with pytest.raises(BundleError, match="'kspace'"):
        MANet(stage="kspace")


def test_an_unknown_guidance_is_refused():
    with pytest.raises(BundleError, match="CS, SC, SC-CS.*'CC'"):
        MANet(guidance="CC")


def test_torchscript_computes_the_same(small, kspaces):
    small.eval()
    with torch.no_grad():
        torch.testing.assert_close(torch.jit.script(small)(kspaces), small(kspaces))


def test_bfloat16_autocast_keeps_the_fft_in_float32(kspaces):
    torch.manual_seed(0)
    network = MANet(channels=4).eval()  # its own: what other tests did to a shared one moves the rounding
    with torch.no_grad(), torch.autocast("cpu", dtype=torch.bfloat16):
        mixed = network(kspaces)
    with torch.no_grad():
        full = network(kspaces)
    assert torch.isfinite(mixed).all()
    torch.testing.assert_close(mixed.float(), full, atol=0.05 * float(full.abs().max()), rtol=0)
