"""The uncertainty is of what was not sampled and what T1 gave, in the image's units, at one reconstruction more."""

from __future__ import annotations

from unittest.mock import Mock

import numpy as np
import pytest
import torch
from monai.inferers import SliceInferer
from torch import Tensor

from bundle.evaluation import Uncertaintyd
from bundle.evaluation.calibration import Calibration
from bundle.evaluation.spreads import SPOT, SPREADS, Scanned, squared_spreads, unseen_share
from bundle.fourier import magnitude_image

SHAPE = (32, 48)
LINES = torch.zeros(SHAPE, dtype=torch.bool)
LINES[:, ::3] = LINES[:, 22:27] = True
POINTS = torch.rand(SHAPE, generator=torch.Generator().manual_seed(1)) < 0.5


class Both(torch.nn.Module):
    """T2, zero-filled, and T1, one on the other."""

    def forward(self, image: Tensor) -> Tensor:
        return magnitude_image(image[:, 2:]) + magnitude_image(image[:, :2])


def scanned(mask: Tensor = LINES, factor: float = 1.0) -> Scanned:
    generator = torch.Generator().manual_seed(0)
    image = factor * torch.randn(2, 4, *SHAPE, generator=generator)
    image[:, 2:] *= mask
    return Scanned(Both(), image, mask, Both()(image))


def test_leaving_t1_out_spreads_by_what_t1_gave():
    scan = scanned()
    t1 = magnitude_image(scan.image[:, :2])
    found = squared_spreads(scan, ["without_t1"])["without_t1"]
    assert found.mean().item() == pytest.approx((t1**2).mean().item(), rel=0.02)
    assert found.std() < 0.5 * (t1**2).std()  # smoothed


@pytest.mark.parametrize("mask", [LINES, LINES.T, POINTS], ids=["columns", "rows", "points"])
def test_what_a_scan_does_not_see_of_a_spot_is_its_energy_where_nothing_was_sampled(mask):
    rows, columns = (np.arange(size) - size // 2 for size in mask.shape)
    spot = np.exp(-(rows[:, None] ** 2 + columns**2) / (2 * SPOT**2))
    energy = np.abs(np.fft.fftshift(np.fft.fft2(spot))) ** 2
    assert unseen_share(mask).item() == pytest.approx(energy[~mask.numpy()].sum() / energy.sum(), abs=1e-3)


def test_the_spot_has_the_spread_of_a_disc_of_six_voxels_and_nothing_is_unseen_of_a_full_scan():
    assert SPOT == 6 / 2 / 2  # a disc's standard deviation along an axis is half its radius
    full = torch.ones(SHAPE, dtype=torch.bool)
    assert unseen_share(full) == 0 and unseen_share(~full) == 1
    assert (squared_spreads(scanned(full), ["unseen"])["unseen"] == 0).all()


def test_spreads_have_the_squared_units_of_the_image():
    once, twice = (squared_spreads(scanned(factor=factor), SPREADS) for factor in (1.0, 2.0))
    for name in SPREADS:
        assert once[name].shape == (2, 1, *SHAPE) and (once[name] >= 0).all()
        torch.testing.assert_close(twice[name], 4 * once[name], rtol=1e-3, atol=1e-5)


def test_a_volume_gets_a_deviation_for_one_reconstruction_more_and_without_calibration_nothing():
    scan = scanned()
    data = {"image": scan.image.movedim(0, -1), "pred": scan.found.movedim(0, -1), "mask": LINES}
    network = Mock(wraps=Both(), training=False)
    network.train = network.eval = lambda *_: network
    network.modules = list
    calibration = Calibration("", {"noise": 1.0, "unseen": 1.0, "without_t1": 1.0, "edges": 0.0}, 2.0, 0.9, [], True)
    inferer = SliceInferer(roi_size=[-1, -1], spatial_dim=2, sw_batch_size=4)
    found = Uncertaintyd([calibration], network, inferer, "cpu")(data)["uncertainty"]
    assert network.call_count == 1 and found.shape == data["pred"].shape
    squares = squared_spreads(scan, ["noise", "unseen", "without_t1"])
    expected = 2 * np.sqrt(sum(square.numpy() for square in squares.values()))
    np.testing.assert_allclose(found.movedim(-1, 0).numpy(), expected, rtol=1e-4)
    assert Uncertaintyd([], network, inferer, "cpu")(data).keys() == data.keys() and network.call_count == 1


def test_a_volume_whose_t1_was_left_out_gets_what_was_calibrated_without():
    scan = scanned()
    scan.image[:, :2] = 0
    data = {"image": scan.image.movedim(0, -1), "pred": scan.found.movedim(0, -1), "mask": LINES}
    both, alone = (Calibration("", {"unseen": part}, 1.0, 0.9, [], True) for part in (1.0, 4.0))
    found = Uncertaintyd([both, alone], Both(), SliceInferer(roi_size=[-1, -1], spatial_dim=2), "cpu")(data)
    expected = 2 * squared_spreads(scan, ["unseen"])["unseen"].sqrt().movedim(0, -1)
    torch.testing.assert_close(found["uncertainty"], expected)
