"""Mixed precision where it is faster, never for FFTs and last convolutions, and at hardly any cost in quality."""

from __future__ import annotations

import copy
from pathlib import Path

import nibabel as nib
import pytest
import torch
from monai.inferers import SimpleInferer, SliceInferer
from torch import nn

from bundle.acquisition.masks import make_mask
from bundle.acquisition.noise import KspaceNoise
from bundle.acquisition.scan import Acquisition
from bundle.compute import MixedPrecisionInferer, mixes_precision, place, precision
from bundle.compute.precision import keep_heads_in_float32
from bundle.data.slices import to_matrix
from bundle.errors import BundleError
from bundle.evaluation.metrics import psnr
from bundle.fourier import magnitude_image
from bundle.networks import DuDoRNet, MANet, UNetT2
from bundle.training.losses import HybridDomainLoss
from bundle.training.weights import load_weights, read_weights

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(params=[False, True], ids=["no AMX", "AMX"])
def amx(request, monkeypatch):
    """Whether the processor has AMX, said instead of asked."""
    monkeypatch.setattr(precision, "has_amx", lambda: request.param)
    return request.param


def image_of(*shape: int) -> torch.Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(0))


@pytest.mark.parametrize("bfloat16", [True, False])
@pytest.mark.parametrize("device", ["cuda", "cuda:1", "cpu"])
@pytest.mark.parametrize("amp", [True, False, "false"])
def test_precision_is_mixed_where_asked_for_on_gpus_with_bfloat16_and_cpus_with_amx(
    amp, device, bfloat16, amx, monkeypatch
):
    monkeypatch.setattr(torch.cuda, "is_bf16_supported", lambda including_emulation=True: bfloat16)
    fast = amx if device == "cpu" else bfloat16
    assert mixes_precision(amp, device) is mixes_precision(amp, torch.device(device)) is (amp is True and fast)


def test_a_gpu_that_only_emulates_bfloat16_computes_in_float32(monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_bf16_supported", lambda including_emulation=True: including_emulation)
    assert not mixes_precision(True, "cuda")


@torch.no_grad()
def test_inferer_computes_in_bfloat16_on_a_cpu_with_amx_and_only_there(amx):
    torch.manual_seed(0)
    network = MANet(channels=4, depth=1).eval()
    image = image_of(1, 4, 32, 48)
    expected, names = network(image), list(network.state_dict())
    placed = place(network, "cpu")
    inferer = MixedPrecisionInferer(SimpleInferer(), True, "cpu")
    assert inferer.mixed is amx
    for candidate in (placed, copy.deepcopy(placed)):
        found = inferer(image, candidate)
        error = float((found - expected).norm() / expected.norm())
        assert found.dtype == torch.float32
        assert (1e-4 < error < 0.1) if amx else error < 1e-5
    assert type(placed) is MANet and list(placed.state_dict()) == names
    assert torch.equal(MixedPrecisionInferer(SimpleInferer(), "false", "cpu")(image, placed), placed(image))


def test_a_volume_is_reconstructed_slice_by_slice_in_bfloat16(amx):
    torch.manual_seed(0)
    network = place(MANet(channels=4, depth=1).eval(), "cpu")
    seen = []
    network.image_stage.t1_stream.stem.register_forward_hook(lambda module, given, made: seen.append(made.dtype))
    slices = SliceInferer(roi_size=(-1, -1), spatial_dim=2, sw_batch_size=2)
    with torch.inference_mode():
        volume = MixedPrecisionInferer(slices, True, "cpu")(image_of(1, 4, 32, 48, 3), network)
    assert volume.shape == (1, 1, 32, 48, 3) and volume.dtype == torch.float32
    assert seen == [torch.bfloat16 if amx else torch.float32] * 2


def test_training_in_mixed_precision_keeps_weights_and_gradients_in_float32(monkeypatch):
    monkeypatch.setattr(precision, "has_amx", lambda: True)
    network = place(MANet(channels=4, depth=1), "cpu")
    image = image_of(2, 4, 16, 16)
    loss = HybridDomainLoss()(MixedPrecisionInferer(SimpleInferer(), True, "cpu")(image, network), image)
    loss.backward()
    assert loss.dtype == torch.float32
    assert all(parameter.grad.dtype == torch.float32 for parameter in network.parameters())


def test_a_switch_that_is_neither_true_nor_false_is_refused():
    with pytest.raises(BundleError, match="amp is true or false, not 'perhaps'"):
        MixedPrecisionInferer(SimpleInferer(), "perhaps", "cpu")


def test_last_convolution_leaves_mixed_precision_and_is_torchs_without():
    torch.manual_seed(0)
    network = nn.Sequential()
    network.add_module("head", nn.Conv2d(8, 2, 1))
    plain, values = copy.deepcopy(network), image_of(1, 8, 6, 6)
    assert keep_heads_in_float32(network) is network
    assert torch.equal(network(values), plain(values))
    assert torch.equal(torch.jit.script(network)(values), plain(values))
    halves = values.bfloat16().requires_grad_()
    with torch.autocast("cpu", dtype=torch.bfloat16):
        output = network(halves)
    assert torch.equal(output, plain(halves.float()))
    output.sum().backward()
    assert halves.grad.dtype == torch.bfloat16 and network.head.weight.grad.dtype == torch.float32


@pytest.mark.parametrize(
    ("network", "converted"),
    [
        (
            MANet(4, depth=1),
            [f"{stage}.{t}_stream.head" for stage in ("kspace_stage", "image_stage") for t in ("t1", "t2")],
        ),
        (UNetT2(4, poolings=1), ["head"]),
        (DuDoRNet(4), ["image_net.head.1", "kspace_net.head.1"]),
    ],
    ids=lambda value: type(value).__name__,
)
def test_only_the_last_convolution_of_each_head_is_converted(network, converted):
    before = {name: type(module) for name, module in network.named_modules()}
    keep_heads_in_float32(network)
    assert [name for name, module in network.named_modules() if type(module) is not before[name]] == converted


@pytest.mark.slow
def test_shipped_weights_lose_less_than_a_fiftieth_of_a_decibel_in_bfloat16_on_real_slices(shared_data, monkeypatch):
    pair = [nib.load(shared_data / f"ms-cross-mni/patient26/{name}.nii.gz").get_fdata() for name in ("T1w", "T2w")]
    slices = [volume[..., 70:110:20].transpose(2, 0, 1) for volume in pair]  # on one grid
    t1, t2 = (torch.stack([to_matrix(torch.from_numpy(one).float(), (256, 256)) for one in stack]) for stack in slices)
    t1, t2 = t1.abs(), t2.abs()
    scan = Acquisition(make_mask("random", 6), KspaceNoise(0.1)).set_random_state(seed=0)(t1, t2)
    weights = read_weights(str(ROOT / "models" / "manet.pt"), ".", ".")
    network = place(load_weights(weights.network(), weights).eval(), "cpu")
    quality = {}
    for amx in (False, True):
        monkeypatch.setattr(precision, "has_amx", lambda amx=amx: amx)
        with torch.inference_mode():
            images = MixedPrecisionInferer(SimpleInferer(), True, "cpu")(scan.image, network)[:, 0] * scan.scale
        quality[amx] = float(psnr(images.permute(1, 2, 0), t2.permute(1, 2, 0)))
    assert quality[False] > 28 and abs(quality[True] - quality[False]) < 0.02


def test_fourier_transform_of_half_precision_values_is_computed_in_float32():
    kspace = image_of(1, 2, 16, 16).bfloat16()
    with torch.autocast("cpu", dtype=torch.bfloat16):
        image = magnitude_image(kspace)
    assert image.dtype == torch.float32
    torch.testing.assert_close(image, magnitude_image(kspace.float()))
