"""Outputs are not overwritten unasked, and never half written."""

from __future__ import annotations

import os
import resource
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from bundle.errors import BundleError
from bundle.outputs import atomic_path, begin_run, claim_outputs, write_whole

ROOT = Path(__file__).parents[1]


def test_claim_makes_no_folder_and_leaves_nothing_in_one_that_exists(tmp_path):
    for folder in (tmp_path / "new $folder" / "größe", tmp_path):
        claim_outputs(folder, ["model.pt"])
        assert not list(tmp_path.iterdir())


def test_claim_passes_empty_folders_that_an_earlier_refusal_has_left(tmp_path):
    (tmp_path / "reconstructions").mkdir()
    claim_outputs(tmp_path, ["reconstructions"])


def test_claim_refuses_two_outputs_of_one_name_and_one_that_is_too_long(tmp_path):
    with pytest.raises(BundleError, match="Two outputs would be .*T2_recon.nii.gz; give their .* different names"):
        claim_outputs(tmp_path / "new", ["T2_recon.nii.gz", "T2_recon.json", "T2_recon.nii.gz"], overwrite=True)
    claim_outputs(tmp_path / "new", ["é" * 121 + "_recon.nii.gz"])
    with pytest.raises(BundleError, match="a name of 257 bytes, and .* allows 255; shorten") as error:
        claim_outputs(tmp_path / "new", ["é" * 122 + "_recon.nii.gz"])
    assert "\n" not in str(error.value)


def test_claim_refuses_existing_outputs_and_names_them(tmp_path):
    (tmp_path / "model.pt").touch()
    (tmp_path / "reconstructions").mkdir()
    (tmp_path / "reconstructions" / "a_recon.nii.gz").touch()
    with pytest.raises(BundleError, match="already holds model.pt, reconstructions; .*--overwrite true") as error:
        claim_outputs(tmp_path, ["model.pt", "last.pt", "reconstructions"])
    assert str(tmp_path) in str(error.value)


@pytest.mark.parametrize("allowed", [{"overwrite": True}, {"overwrite": "true"}, {"resume": True}])
def test_claim_lets_a_run_replace_or_go_on_with_its_outputs_where_that_is_asked_for(tmp_path, allowed):
    (tmp_path / "model.pt").write_text("weights")
    claim_outputs(tmp_path, ["model.pt"], **allowed)
    assert (tmp_path / "model.pt").read_text() == "weights"


def test_claim_never_lets_an_output_replace_an_input_however_it_is_named(tmp_path):
    (tmp_path / "b_recon.nii").write_text("the T1")
    (tmp_path / "link.nii").symlink_to(tmp_path / "b_recon.nii")
    for t1 in ("b_recon.nii", "link.nii"):
        item = {"subject": "b", "t1": str(tmp_path / t1), "t2": str(tmp_path / "gone.nii")}
        with pytest.raises(
            BundleError, match=f"b_recon.nii would replace .*{t1}, which is read; give another output_dir"
        ):
            claim_outputs(tmp_path, ["b_recon.nii", "b_recon.json"], overwrite=True, items=[item])
    claim_outputs(tmp_path, ["b_recon.nii"], overwrite=True, items=[item | {"t1": str(tmp_path / "gone.nii")}])


def test_claim_takes_a_link_to_a_file_that_is_gone_for_an_output(tmp_path):
    (tmp_path / "model.pt").symlink_to(tmp_path / "gone.pt")
    with pytest.raises(BundleError, match="already holds model.pt"):
        claim_outputs(tmp_path, ["model.pt"])


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


def test_room_is_not_asked_for_where_it_would_not_help(tmp_path):
    with pytest.raises(BundleError, match="Cannot write .*model.pt: Permission denied; choose another folder.$"):
        with atomic_path(tmp_path / "model.pt"):
            raise PermissionError(13, "Permission denied")


def test_file_of_the_longest_name_can_be_written(tmp_path):
    target = tmp_path / ("x" * 248 + ".nii.gz")
    write_whole(target, b"voxels")
    assert list(tmp_path.iterdir()) == [target]


def test_file_beyond_a_size_limit_is_told_with_the_space_and_leaves_the_old_one(tmp_path):
    (tmp_path / "model.pt").write_text("old")
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1000, limits[1]))  # Python ignores SIGXFSZ
    try:
        with pytest.raises(BundleError, match="Cannot write .*model.pt: File too large .*MB are free in .*make room"):
            write_whole(tmp_path / "model.pt", bytes(2000))
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert (tmp_path / "model.pt").read_text() == "old" and len(list(tmp_path.iterdir())) == 1


@pytest.mark.parametrize("below", ["model.pt", "folder/model.pt"])
def test_path_below_a_file_is_refused_with_the_file_that_is_in_the_way(tmp_path, below):
    (tmp_path / "file").touch()
    with pytest.raises(BundleError, match="Cannot write .*file is a file, not a folder; choose another folder"):
        with atomic_path(tmp_path / "file" / below):
            pytest.fail("nothing can be written here")


def test_scratch_folder_and_half_written_file_are_gone_when_the_program_is_told_to_end(tmp_path):
    program = f"""
import os, signal, time
from pathlib import Path
from bundle.outputs import atomic_path, begin_run, scratch_dir
begin_run()
a, b = Path(scratch_dir()), Path(scratch_dir())
(a / "file").touch()
assert a != b and b.is_dir()
print(a, flush=True)
with atomic_path("{tmp_path}/output") as temporary:
    temporary.touch()
    os.kill(os.getpid(), signal.SIGTERM)
    time.sleep(60)
"""
    result = subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, timeout=120)
    assert result.returncode == 128 + signal.SIGTERM and result.stderr == ""
    assert result.stdout.strip() and not Path(result.stdout.strip()).exists() and not list(tmp_path.iterdir())


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
@pytest.mark.parametrize("before", [signal.SIG_DFL, signal.SIG_IGN])
def test_signals_that_end_a_run_let_it_tidy_up_and_ignored_ones_stay_so(number, before):
    kept = {number: signal.signal(number, before) for number in (signal.SIGTERM, signal.SIGHUP)}
    try:
        begin_run()
        if before == signal.SIG_IGN:
            assert signal.getsignal(number) == signal.SIG_IGN
        else:
            with pytest.raises(SystemExit, match=str(128 + number)):
                os.kill(os.getpid(), number)
                time.sleep(5)
    finally:
        for name, handler in kept.items():
            signal.signal(name, handler)
