"""Mixed precision where it is faster and never for the FFTs; the layout that is faster; knobs that change no result."""

from __future__ import annotations

import copy
import shutil
from pathlib import Path

import nibabel as nib
import pytest
import torch

from bundle.acquisition.masks import make_mask
from bundle.acquisition.noise import KspaceNoise
from bundle.acquisition.scan import Acquisition
from bundle.compute import placement as precision
from bundle.compute.placement import amp_dtype, memory_format, mixes_precision, place, use_amp
from bundle.data.slices import to_matrix
from bundle.evaluation.metrics import psnr
from bundle.fourier import magnitude_image
from bundle.networks import MANet
from bundle.training.losses import HybridDomainLoss
from bundle.training.weights import channels_of, load_weights, stage_of

ROOT = Path(__file__).resolve().parents[2]
FIRST, LAST = torch.contiguous_format, torch.channels_last


@pytest.fixture(params=[False, True], ids=["no AMX", "AMX"])
def amx(request, monkeypatch):
    """Whether the processor has AMX, said instead of asked."""
    monkeypatch.setattr(precision, "has_amx", lambda: request.param)
    return request.param


@pytest.mark.parametrize("device", ["cuda", "cuda:1", "cpu"])
@pytest.mark.parametrize("amp", [True, False, "false"])
def test_mixed_precision_is_used_where_it_is_asked_for_on_gpus_and_cpus_with_amx(amp, device, amx):
    wanted = amp is True
    assert mixes_precision(amp, device) is (wanted and (amx or device != "cpu"))
    assert use_amp(amp, device) is use_amp(amp, torch.device(device)) is (wanted and device != "cpu")


def test_network_computes_in_bfloat16_on_a_cpu_with_amx_and_only_there(amx):
    network = MANet(channels=4).eval()
    image = torch.randn(1, 4, 32, 48, generator=torch.Generator().manual_seed(0))
    expected, names = network(image), list(network.state_dict())
    placed = place(network, "cpu", 4, amp=True)
    for candidate in (placed, copy.deepcopy(placed)):
        found = candidate(image)
        error = float((found - expected).norm() / expected.norm())
        assert found.dtype == torch.float32
        assert (1e-4 < error < 0.1) if amx else error < 1e-5
    assert isinstance(placed, MANet) and list(placed.state_dict()) == names
    assert place(MANet(channels=4), "cpu", 4, amp=False).eval()(image).dtype == torch.float32


def test_training_in_mixed_precision_keeps_weights_and_gradients_in_float32(monkeypatch):
    monkeypatch.setattr(precision, "has_amx", lambda: True)
    network = place(MANet(channels=4, depth=1), "cpu", 4, amp=True)
    image = torch.randn(2, 4, 16, 16, generator=torch.Generator().manual_seed(0))
    loss = HybridDomainLoss()(network(image), image)
    loss.backward()
    assert loss.dtype == torch.float32
    assert all(parameter.grad.dtype == torch.float32 for parameter in network.parameters())


@pytest.mark.slow
def test_shipped_weights_lose_less_than_a_fiftieth_of_a_decibel_in_bfloat16_on_real_slices(shared_data, monkeypatch):
    pair = [nib.load(shared_data / f"ms-cross-mni/patient26/{name}.nii.gz").get_fdata() for name in ("T1w", "T2w")]
    slices = [volume[..., 60:110:10].transpose(2, 0, 1) for volume in pair]  # on one grid
    t1, t2 = (torch.stack([to_matrix(torch.from_numpy(one).float(), (256, 256)) for one in stack]) for stack in slices)
    t1, t2 = t1.abs(), t2.abs()
    scan = Acquisition(make_mask("random", 6), KspaceNoise(0.1)).set_random_state(seed=0)(t1, t2)
    checkpoint = str(ROOT / "models" / "model.pt")
    quality = {}
    for amx in (False, True):
        monkeypatch.setattr(precision, "has_amx", lambda amx=amx: amx)
        network = MANet(channels_of(checkpoint), stage=stage_of(checkpoint)).eval()
        network = place(load_weights(network, checkpoint), "cpu", channels_of(checkpoint), amp=True)
        with torch.inference_mode():
            images = network(scan.image)[:, 0].float() * scan.scale
        quality[amx] = float(psnr(images.permute(1, 2, 0), t2.permute(1, 2, 0)))
    assert quality[False] > 28 and abs(quality[True] - quality[False]) < 0.02


@pytest.mark.parametrize(("supported", "dtype"), [(True, torch.bfloat16), (False, torch.float16)])
def test_gpu_without_bfloat16_gets_float16(monkeypatch, supported, dtype):
    monkeypatch.setattr(torch.cuda, "is_bf16_supported", lambda: supported)
    assert amp_dtype("cuda:0") is dtype and amp_dtype(torch.device("cuda")) is dtype
    assert amp_dtype("cpu") is torch.bfloat16


def test_fourier_transform_of_half_precision_values_is_computed_in_float32():
    kspace = torch.randn(1, 2, 16, 16, generator=torch.Generator().manual_seed(0)).bfloat16()
    with torch.autocast("cpu", dtype=torch.bfloat16):
        image = magnitude_image(kspace)
    assert image.dtype == torch.float32
    torch.testing.assert_close(image, magnitude_image(kspace.float()))


@pytest.mark.parametrize("avx512", [False, True])
@pytest.mark.parametrize(
    ("channels_last", "device", "channels", "layouts"),
    [
        (None, "cuda", 64, (LAST, LAST)),
        (None, "cpu", 8, (LAST, LAST)),
        ("null", "cpu", 64, (FIRST, LAST)),
        (None, "cpu", 32, (FIRST, LAST)),
        (None, "cpu", None, (LAST, LAST)),
        (True, "cpu", 64, (LAST, LAST)),
        ("false", "cuda", 64, (FIRST, FIRST)),
        (False, "cpu", 8, (FIRST, FIRST)),
    ],
)
def test_layout_is_the_faster_one_unless_one_is_asked_for(
    channels_last, device, channels, layouts, avx512, monkeypatch
):
    monkeypatch.setattr(precision, "has_avx512", lambda: avx512)
    assert memory_format(channels_last, device, channels) is layouts[avx512]


@pytest.mark.parametrize("settings", [{"channels_last": True}, {"channels_last": False}])
def test_layout_changes_results_by_rounding_alone(settings):
    network = MANet(channels=4).eval()
    image = torch.randn(2, 4, 32, 48, generator=torch.Generator().manual_seed(0))
    expected = network(image)
    found = place(network, "cpu", 4, **settings)(image)
    assert (found - expected).abs().max() <= 1e-4 * expected.abs().max()


@pytest.mark.slow
def test_compiled_network_computes_the_same_and_keeps_its_weights_names():
    if shutil.which("g++") is None and shutil.which("clang++") is None:
        pytest.skip("torch.compile needs a C++ compiler on a CPU, and there is none")
    network = MANet(channels=4, depth=1, stage="image").eval()
    image = torch.randn(1, 4, 32, 32, generator=torch.Generator().manual_seed(0))
    expected, names = network(image), list(network.state_dict())
    compiled = place(network, "cpu", 4, compile=True)
    assert (compiled(image) - expected).abs().max() <= 1e-4 * expected.abs().max()
    assert list(compiled.state_dict()) == names
