"""A run takes the weights that its user means, or says which it takes, or none."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from bundle.errors import BundleError
from bundle.networks import MANet
from bundle.training.checkpoints import BEST, LAST, find_checkpoint, read_checkpoint
from tests.bundle_runs import ROOT, run, sentence_of
from tests.nifti_pairs import write_dataset


def touch(*paths: Path) -> None:
    for path in paths:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()


def test_inference_takes_the_checkpoint_given_else_the_trained_else_aloud_the_shipped(tmp_path, caplog):
    given, trained, shipped = tmp_path / "given.pt", tmp_path / "out" / BEST, tmp_path / "models" / BEST
    touch(given, trained, shipped)
    out, root = str(tmp_path / "out"), str(tmp_path)
    assert find_checkpoint(str(given), out, root) == given
    assert find_checkpoint("null", out, root) == trained
    trained.unlink()
    with caplog.at_level("INFO"):
        assert find_checkpoint(None, out, root) == shipped
    assert f"No --checkpoint was given, and {out} holds no model.pt: taking the shipped weights." in caplog.text


def test_an_evaluation_never_takes_the_shipped_weights_by_itself(tmp_path):
    with pytest.raises(
        BundleError, match="out holds no model.pt, .* --checkpoint FILE, such as the shipped models/model"
    ):
        find_checkpoint(None, str(tmp_path / "out"))


@pytest.mark.parametrize("bundle_root", [None, "."])
def test_last_weights_beside_no_best_ones_are_told_and_not_passed_over(tmp_path, bundle_root):
    touch(tmp_path / LAST)
    with pytest.raises(BundleError, match=f"holds last.pt, .* no model.pt: .*--checkpoint '{tmp_path / LAST}'"):
        find_checkpoint(None, str(tmp_path), bundle_root)


def test_a_checkpoint_that_is_given_is_not_replaced_by_another(tmp_path):
    touch(tmp_path / BEST)
    with pytest.raises(BundleError, match="The checkpoint .*typo.pt does not exist; give another with --checkpoint"):
        find_checkpoint(str(tmp_path / "typo.pt"), str(tmp_path), ".")


def test_from_any_folder_that_is_no_bundle_the_running_bundles_weights_are_taken_aloud(tmp_path, monkeypatch, caplog):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "models").mkdir()  # of another project
    with caplog.at_level("INFO"):
        assert find_checkpoint(None, "out", ".") == ROOT / "models" / BEST
    assert "out holds no model.pt: taking the shipped weights." in caplog.text


def test_a_bundle_without_its_weights_is_told_with_the_way_to_name_another(tmp_path):
    (tmp_path / "configs").mkdir()
    said = (
        f"models/model.pt does not exist; bundle_root is {tmp_path}; .* --bundle_root DIR, or weights by --checkpoint"
    )
    with pytest.raises(BundleError, match=said):
        find_checkpoint(None, str(tmp_path / "out"), str(tmp_path))


def test_shipped_weights_of_a_name_do_not_stand_in_for_a_file_but_are_named(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    own = ROOT / "models" / "manet.pt"
    with pytest.raises(BundleError, match=f"models/manet.pt does not exist; the one that is shipped .* is {own}."):
        find_checkpoint("models/manet.pt", "out")


def test_a_folder_in_the_place_of_a_checkpoint_is_told(tmp_path):
    with pytest.raises(BundleError, match="is a folder, not a file"):
        find_checkpoint(str(tmp_path), "out")


def test_a_file_that_cannot_be_read_is_refused_with_the_reason(tmp_path):
    with pytest.raises(BundleError, match="cannot be read: Is a directory"):
        read_checkpoint(tmp_path)


def test_evaluating_without_weights_of_its_own_is_refused_and_writes_nothing(tmp_path):
    data = write_dataset(tmp_path / "data")
    settings = {"image_size": 32, "dataset_dir": str(data), "output_dir": str(tmp_path / "out"), "device": "cpu"}
    with pytest.raises(Exception) as raised:
        run("evaluating", **settings)
    assert "there are no weights to evaluate" in sentence_of(raised.value)
    assert not (tmp_path / "out").exists()
    (tmp_path / "out").mkdir()
    torch.save({"network": MANet(4, depth=1).state_dict()}, tmp_path / "out" / LAST)
    with pytest.raises(Exception) as raised:
        run("evaluating", **settings)
    assert "take the last ones with --checkpoint" in sentence_of(raised.value)
