"""Outputs are not overwritten unasked, and never half written."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from bundle.errors import BundleError
from bundle.outputs import atomic_path, claim_outputs

ROOT = Path(__file__).parents[1]


def test_claim_makes_the_folder_and_leaves_it_empty(tmp_path):
    folder = tmp_path / "new $folder" / "größe"
    claim_outputs(folder, ["model.pt"])
    assert folder.is_dir() and not list(folder.iterdir())


def test_claim_refuses_existing_outputs_and_names_them(tmp_path):
    (tmp_path / "model.pt").touch()
    (tmp_path / "reconstructions").mkdir()
    with pytest.raises(BundleError, match="already holds model.pt, reconstructions; .*--overwrite true") as error:
        claim_outputs(tmp_path, ["model.pt", "last.pt", "reconstructions"])
    assert str(tmp_path) in str(error.value)


@pytest.mark.parametrize("allowed", [{"overwrite": True}, {"overwrite": "true"}, {"resume": True}])
def test_claim_lets_a_run_replace_or_go_on_with_its_outputs_where_that_is_asked_for(tmp_path, allowed):
    (tmp_path / "model.pt").write_text("weights")
    claim_outputs(tmp_path, ["model.pt"], **allowed)
    assert (tmp_path / "model.pt").read_text() == "weights"


def test_claim_does_not_mind_other_files_nor_a_word_that_says_no(tmp_path):
    (tmp_path / "model.pt").touch()
    claim_outputs(tmp_path, ["metrics.csv"])
    with pytest.raises(BundleError, match="already holds model.pt"):
        claim_outputs(tmp_path, ["model.pt"], overwrite="false")


@pytest.mark.parametrize("below", ["", "folder"])
def test_claim_refuses_a_folder_that_cannot_be_written_in_one_sentence(tmp_path, below):
    occupied = tmp_path / "file"
    occupied.touch()
    with pytest.raises(BundleError, match="cannot be written .*; give another output_dir.$") as error:
        claim_outputs(occupied / below, [])
    assert "\n" not in str(error.value) and str(occupied) in str(error.value)


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_claim_refuses_a_folder_without_permission(tmp_path):
    tmp_path.chmod(0o500)
    with pytest.raises(BundleError, match="Permission denied"):
        claim_outputs(tmp_path, [])
    tmp_path.chmod(0o700)


def test_atomic_path_moves_the_whole_file_into_place(tmp_path):
    target = tmp_path / "new" / "model.pt"
    with atomic_path(target) as path:
        assert path.parent == target.parent and path.suffix == ".pt"
        path.write_text("new")
        assert not target.exists()
    assert target.read_text() == "new" and list(target.parent.iterdir()) == [target]


@pytest.mark.parametrize("failure", [ValueError, KeyboardInterrupt])
def test_failure_keeps_the_old_file_and_leaves_no_partial_one(tmp_path, failure):
    target = tmp_path / "model.pt"
    target.write_text("old")
    with pytest.raises(failure), atomic_path(target) as path:
        path.write_text("half")
        raise failure
    assert target.read_text() == "old" and list(tmp_path.iterdir()) == [target]


def test_failing_disk_is_told_in_one_sentence(tmp_path):
    with pytest.raises(BundleError, match="Cannot write .*model.pt: No space left on device"):
        with atomic_path(tmp_path / "model.pt") as path:
            path.write_text("half")
            raise OSError(28, "No space left on device")
    assert not list(tmp_path.iterdir())


def test_path_below_a_file_is_refused(tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(BundleError, match="Cannot write .*choose another folder"):
        with atomic_path(tmp_path / "file" / "model.pt"):
            pytest.fail("nothing can be written here")


def test_scratch_folder_is_gone_when_the_program_ends():
    program = (
        "from pathlib import Path; from bundle.outputs import scratch_dir;"
        "a, b = Path(scratch_dir()), Path(scratch_dir()); (a / 'file').touch(); assert a != b and b.is_dir(); print(a)"
    )
    result = subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=True)
    assert result.stdout.strip() and not Path(result.stdout.strip()).exists()
