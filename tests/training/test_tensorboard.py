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


def curves(folder) -> list[str]:
    return sorted(path.name for path in folder.glob("events*"))


def an_earlier_run(folder) -> list[str]:
    board = TensorBoard(str(folder))
    board.add_scalar("loss", 1.0, 1)
    board.close()
    return curves(folder)


def test_curves_of_an_earlier_run_stay_and_are_told(tmp_path, caplog):
    earlier = an_earlier_run(tmp_path)
    assert not caplog.messages
    assert len({*an_earlier_run(tmp_path), *earlier}) == 2 and len(caplog.messages) == 1
    assert caplog.messages[0].startswith(f"{tmp_path} holds curves of an earlier run, which TensorBoard draws with")


def test_curves_of_an_earlier_run_are_removed_where_it_may_be_replaced(tmp_path, caplog):
    earlier = an_earlier_run(tmp_path)
    (tmp_path / "validation").mkdir()
    others = an_earlier_run(tmp_path / "validation")
    board = TensorBoard(str(tmp_path), overwrite=True)
    board.add_scalar("loss", 2.0, 1)
    board.close()
    assert len(curves(tmp_path)) == 1 and curves(tmp_path) != earlier and curves(tmp_path / "validation") == others
    assert not caplog.messages


def test_a_run_that_goes_on_keeps_its_curves_without_a_word(tmp_path, caplog):
    earlier = an_earlier_run(tmp_path)
    board = TensorBoard(str(tmp_path), overwrite=True, resume=True)
    board.add_scalar("loss", 2.0, 2)
    board.close()
    assert {*earlier} < {*curves(tmp_path)} and not caplog.messages
