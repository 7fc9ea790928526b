"""The simulated scan of several coils: laws, and the unrolled network trained on it and measured, as users run it."""

from __future__ import annotations

import json

import pytest
import torch

from bundle.acquisition import Acquisition, KspaceNoise, SmoothPhase, make_mask
from bundle.errors import BundleError
from bundle.fourier import channels_to_complex, ifft2c
from bundle.kspace import CoilAcquisition, SimulatedCoils, combine
from bundle.networks import MANet, Unrolled, for_coils
from bundle.networks.coils import CoilOperator
from tests.bundle_runs import TINY, run
from tests.kspace.raw_files import slices_of_a_head
from tests.nifti_pairs import write_dataset

COILS, SIZE = 4, 64
OVERLAYS = [f"configs/experiments/{name}.yaml" for name in ("unrolled", "unrolled_multicoil")]


def acquisition(acceleration: float = 1, noise: float = 0, phase: float = 0.5, coils: int = COILS, **settings):
    parts = make_mask("random", acceleration), KspaceNoise(noise)
    found = CoilAcquisition(*parts, phase=SmoothPhase(phase), coils=SimulatedCoils(coils), **settings)
    return found.set_random_state(seed=1)


@pytest.fixture(scope="module")
def pair() -> tuple[torch.Tensor, torch.Tensor]:
    return tuple(torch.from_numpy(slices_of_a_head(2, SIZE, SIZE, seed=seed)) for seed in (0, 1))


def parts_of(image: torch.Tensor, coils: int = COILS) -> tuple[torch.Tensor, torch.Tensor]:
    """K-space and sensitivities, complex ``(s, coils, h, w)``."""
    return tuple(channels_to_complex(part.unflatten(1, (coils, 2))) for part in image[:, 2:].split(2 * coils, dim=1))


@pytest.mark.parametrize("known_maps", [True, False])
@pytest.mark.parametrize("coils", [1, 4])
def test_all_lines_without_noise_give_the_image_back(pair, coils, known_maps):
    acquired = acquisition(coils=coils, known_maps=known_maps)(*pair)
    assert acquired.image.shape == (2, 2 + 4 * coils, SIZE, SIZE) and acquired.full_kspace.shape == (2, 4, SIZE, SIZE)
    share = 1e-4 if known_maps or coils == 1 else 5e-4  # a slice of 64 x 64 is coarse for the estimate's window
    torch.testing.assert_close(acquired.zero_filled, pair[1], rtol=0, atol=share * float(pair[1].max()))
    kspace, maps = parts_of(acquired.image, coils)
    operator = CoilOperator(maps, torch.ones(2, 1, SIZE, SIZE, dtype=torch.bool))
    torch.testing.assert_close(operator.adjoint(kspace).abs() * acquired.scale, acquired.zero_filled, rtol=0, atol=0.01)


def test_the_coils_combine_to_noise_of_the_level_that_was_asked_for_and_the_known_phase_makes_them_real(pair):
    scan = acquisition(noise=0.1, known_maps=True)
    acquired = scan(*pair)
    kspace, maps = parts_of(acquired.image)
    noise = combine(ifft2c(kspace), maps) * acquired.scale - pair[1]
    expected = scan.noise.sigma(pair[1]).flatten()
    for part in (noise.real, noise.imag):
        torch.testing.assert_close(part.std(dim=(1, 2)), expected, rtol=0.05, atol=0)


def test_mask_and_target_are_those_of_the_scan_of_a_single_coil_and_the_coils_are_one_draw_a_scan(pair):
    single = Acquisition(make_mask("random", 4), KspaceNoise(0.1), phase=SmoothPhase(0.5)).set_random_state(seed=1)
    expected, found = single(*pair), acquisition(4, 0.1)(*pair)
    assert torch.equal(found.mask, expected.mask)
    target, own = (channels_to_complex(one.full_kspace[:, 2:4]) for one in (expected, found))
    torch.testing.assert_close(
        ifft2c(own).abs() * found.scale, ifft2c(target).abs() * expected.scale, rtol=1e-4, atol=1e-3
    )
    again, other = acquisition(4, 0.1)(*pair), acquisition(4, 0.1).set_random_state(seed=2)(*pair)
    assert torch.equal(again.image, found.image) and not torch.equal(other.image[:, 2 + 2 * COILS :], found.image)
    slices = acquisition(4, 0.1, known_maps=True)(*(image[0] for image in pair)).image
    assert slices.shape == (2 + 4 * COILS, SIZE, SIZE)
    hidden = acquisition(4, 0.1, visible=["t2"])(*pair).image
    assert not hidden[:, :2].any() and torch.equal(hidden[:, 2:], found.image[:, 2:])
    assert not acquisition().is_hermitian


def test_sensitivities_are_smooth_and_their_squares_sum_to_one():
    maps = SimulatedCoils(5).set_random_state(seed=0).sample(48, 40)
    torch.testing.assert_close(torch.linalg.vector_norm(maps, dim=0), torch.ones(48, 40))
    assert maps.shape == (5, 48, 40) and max(maps.diff(dim=axis).abs().max() for axis in (1, 2)) < 0.1
    weakest, strongest = maps.abs().amin(dim=(1, 2)), maps.abs().amax(dim=(1, 2))
    assert (strongest > 2 * weakest).all()
    for number in (0, 2.5, True):
        with pytest.raises(BundleError, match="coils is a whole number from 1 on"):
            SimulatedCoils(number)


def test_a_network_for_coils_has_the_weights_of_the_one_it_is_made_of_and_another_kind_is_refused():
    network = Unrolled(cascades=1, widths=[4, 6])
    found = for_coils(network)
    assert all(torch.equal(value, network.state_dict()[name]) for name, value in found.state_dict().items())
    with pytest.raises(BundleError, match="The MANet of network_def is of another network than Unrolled"):
        for_coils(MANet(channels=2, depth=1))


@pytest.mark.slow
def test_it_is_trained_and_measured_through_monai(tmp_path):
    data = str(write_dataset(tmp_path / "data"))
    tiny = {name: value for name, value in TINY.items() if name not in ("channels", "network_def::depth")}
    given = {"dataset_dir": data, "output_dir": str(tmp_path / "out"), "cache_dir": str(tmp_path / "cache"), "coils": 3}
    settings = {"cascades": 1, "widths": [4, 6], "epochs": 1, "val_interval": 1}
    run("training", *OVERLAYS, **tiny | settings | given)
    weights = torch.load(tmp_path / "out" / "model.pt", weights_only=True)
    assert weights.keys() == Unrolled(cascades=1, widths=[4, 6], instance_norm=True).state_dict().keys()
    assert weights["regularisers.0.head.weight"].abs().max() > 0  # it began with zeros
    run("evaluating", OVERLAYS[1], **given, image_size=32, device="cpu", register_to="t2")
    summary = json.loads((tmp_path / "out" / "metrics_summary.json").read_text())
    assert summary["settings"]["network"] == "Unrolled, coils 3" and summary["settings"]["phase_level"] == 0.5
    assert 10 < summary["metrics"]["psnr"]["mean"] < 60
    assert abs(summary["metrics"]["psnr"]["mean"] - summary["metrics"]["zf_psnr"]["mean"]) > 1e-3
