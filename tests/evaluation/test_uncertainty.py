"""The uncertainty is what less data and no T1 change, in the reconstruction's units, at two reconstructions more."""

from __future__ import annotations

from unittest.mock import Mock

import numpy as np
import pytest
import torch
from monai.inferers import SliceInferer
from torch import Tensor

from bundle.evaluation import Uncertaintyd
from bundle.evaluation.calibration import Calibration
from bundle.evaluation.spreads import SPREADS, Scanned, squared_spreads
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


@pytest.mark.parametrize(
    ("mask", "lines"), [(LINES, 1), (LINES.T, 0), (POINTS, None)], ids=["columns", "rows", "points"]
)
def test_whole_lines_are_left_out_or_points_and_none_of_the_centre(mask, lines):
    image = torch.ones(1, 4, *mask.shape)
    image[:, 2:] *= mask
    seen: list[Tensor] = []
    network = Mock(side_effect=lambda given: seen.append(given) or torch.zeros(1, 1, *mask.shape))
    squared_spreads(Scanned(network, image, mask, torch.zeros(1, 1, *mask.shape)), ["left_out"])
    kept, (height, width) = seen[0][0, 2] != 0, mask.shape
    lost = mask & ~kept
    assert 0.1 < lost.sum() / mask.sum() < 0.35 and torch.equal(seen[0][:, :2], image[:, :2])
    assert not lost[height // 2, width // 2]
    if lines is not None:
        assert all(
            not line.any() or torch.equal(line, own)
            for line, own in zip(lost.T if lines else lost, mask.T if lines else mask)
        )


def test_spreads_have_the_squared_units_of_the_image():
    once, twice = (squared_spreads(scanned(factor=factor), SPREADS) for factor in (1.0, 2.0))
    for name in SPREADS:
        assert once[name].shape == (2, 1, *SHAPE) and (once[name] >= 0).all()
        torch.testing.assert_close(twice[name], 4 * once[name], rtol=1e-3, atol=1e-5)


def test_a_volume_gets_a_deviation_for_two_reconstructions_more_and_without_calibration_nothing():
    scan = scanned()
    data = {"image": scan.image.movedim(0, -1), "pred": scan.found.movedim(0, -1), "mask": LINES}
    network = Mock(wraps=Both(), training=False)
    network.train = network.eval = lambda *_: network
    network.modules = list
    calibration = Calibration("", {"noise": 1.0, "left_out": 1.0, "without_t1": 1.0, "level": 0.0}, 2.0, 0.9, [], True)
    inferer = SliceInferer(roi_size=[-1, -1], spatial_dim=2, sw_batch_size=4)
    found = Uncertaintyd(calibration, network, inferer, "cpu")(data)["uncertainty"]
    assert network.call_count == 2 and found.shape == data["pred"].shape
    squares = squared_spreads(scan, ["noise", "left_out", "without_t1"])
    expected = 2 * np.sqrt(sum(square.numpy() for square in squares.values()))
    np.testing.assert_allclose(found.movedim(-1, 0).numpy(), expected, rtol=1e-4)
    assert Uncertaintyd(None, network, inferer, "cpu")(data).keys() == data.keys() and network.call_count == 2
