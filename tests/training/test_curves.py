"""Training curves show what was recorded."""

from __future__ import annotations

import numpy as np
from matplotlib.image import imread

from bundle.plotting import save_figure
from bundle.training.curves import curves_figure


def test_curves_show_the_history_and_the_zero_filled_level_as_a_dashed_line(tmp_path):
    history = {"loss": [(1, 0.3), (2, 0.03)], "psnr": [(2, 28.0)], "ssim": [(2, 0.8)], "zf_psnr": [(1, 25.0)]}
    figure = curves_figure(history, title="$x")
    loss, psnr, ssim = figure.axes
    np.testing.assert_allclose(loss.lines[0].get_xydata(), history["loss"])
    np.testing.assert_allclose(psnr.lines[0].get_xydata(), history["psnr"])
    assert set(psnr.lines[1].get_ydata()) == {25.0} and psnr.lines[1].is_dashed()
    assert len(ssim.lines) == 1
    save_figure(figure, tmp_path / "curves.png")
    assert len(curves_figure({"loss": history["loss"], "psnr": []}).axes) == 1  # nothing was validated
    save_figure(curves_figure({}), tmp_path / "empty.png")
    assert imread(tmp_path / "curves.png").shape[0] > 400


def test_panels_show_the_same_epochs_and_ticks_are_whole_epochs_where_only_the_last_was_validated():
    for epochs in (1, 7):
        losses = [(epoch, 0.3 / epoch) for epoch in range(1, epochs + 1)]
        axes = curves_figure({"loss": losses, "psnr": [(epochs, 28.0)]}).axes
        assert axes[0].get_xlim() == axes[1].get_xlim()
        assert all(float(tick).is_integer() for panel in axes for tick in panel.get_xticks())
