"""Error and interval of a slice share one scale, which neither leaves; voxels whose error is beyond are counted."""

from __future__ import annotations

import numpy as np
import pytest

from bundle.evaluation.calibration import half_width
from bundle.evaluation.uncertainty_figure import uncertainty_figure


@pytest.mark.parametrize("deviation, factor", [(0.02, 20), (0.1, 6), (0.2, 3)])
def test_error_and_interval_share_a_scale_that_holds_the_larger_of_them(deviation, factor):
    reference = np.ones((32, 24), np.float32)
    slices = {"reference": reference, "pred": reference + 0.02, "deviation": np.full((32, 24), deviation)}
    error, interval = uncertainty_figure(slices, "a$b").axes[1:3]
    assert [panel.get_title() for panel in (error, interval)] == [
        f"|error| × {factor}",
        f"90% interval × {factor}, to each side",
    ]
    assert error.images[0].get_clim() == interval.images[0].get_clim() == pytest.approx((0, 1 / factor))
    assert half_width() * deviation <= 1 / factor


def test_voxels_whose_error_is_beyond_the_interval_are_shown_and_counted():
    reference = np.ones((32, 24), np.float32)
    pred = reference + np.where(np.arange(32)[:, None] < 8, 0.5, 0.01)
    panel = uncertainty_figure({"reference": reference, "pred": pred, "deviation": np.full((32, 24), 0.1)}, "").axes[3]
    assert panel.get_title() == "|error| beyond it, 25.0% of the head"
    assert panel.images[0].get_array().mean() == 0.25
