"""TensorBoard's folder appears with the first event, and a full disk is told in one sentence."""

from __future__ import annotations

import resource

import pytest
from matplotlib.figure import Figure

from bundle.errors import BundleError
from bundle.training import TensorBoard


def test_folder_is_made_at_the_first_event_and_not_before(tmp_path):
    board = TensorBoard(str(tmp_path / "out" / "tensorboard"))
    board.flush()
    board.close()
    assert not list(tmp_path.iterdir())
    board.add_scalar("loss", 1.0, 1)
    board.add_figure("a", Figure(), 1)
    board.close()
    assert [path.name.startswith("events") for path in (tmp_path / "out" / "tensorboard").iterdir()] == [True]


def test_disk_that_fills_is_told_once(tmp_path, capfd):
    board = TensorBoard(str(tmp_path / "tensorboard"))
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    board.add_scalar("loss", 0.0, 0)
    board.flush()
    resource.setrlimit(resource.RLIMIT_FSIZE, (100, limits[1]))
    try:
        with pytest.raises(BundleError, match="Cannot write .*tensorboard: File too large .* MB are free"):
            for step in range(1000):
                board.add_scalar("loss", 1.0, step)
                board.flush()
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert "Traceback" not in "".join(capfd.readouterr())
