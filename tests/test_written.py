"""A run tells what it has written, in one line, and in another what it has left of an earlier run."""

from __future__ import annotations

import logging

import pytest

from bundle.errors import BundleError
from bundle.outputs import atomic_folder, claim_outputs, write_whole
from bundle.written import note_written, tell_written


def said(folder, caplog) -> list[str]:
    caplog.clear()
    with caplog.at_level(logging.INFO, "bundle.written"):
        tell_written(folder)
    return [message.partition(": ")[2] for message in caplog.messages]


def test_files_of_the_folder_are_told_once_and_counted_where_they_are_many(tmp_path, caplog):
    tell_written(tmp_path)
    out = tmp_path / "out"
    write_whole(tmp_path / "elsewhere.txt", b"")
    for name in ("model.pt", "model.pt", "figures/a.png", "cache/a.npy", "cache/b.npy"):
        write_whole(out / name, b"")
    (out / "earlier.csv").touch()
    note_written(out / "tensorboard")
    assert said(out, caplog) == ["model.pt, tensorboard, cache (2 files), figures/a.png"]
    assert said(out, caplog) == []


def test_of_many_files_the_first_are_named(tmp_path, caplog):
    for number in range(9):
        write_whole(tmp_path / f"{number}.nii.gz", b"")
    assert said(tmp_path, caplog) == ["0.nii.gz, 1.nii.gz, 2.nii.gz, 3.nii.gz and 5 more files"]


CLAIMED = ["metrics.csv", "structures.csv", "figures/structures.png", "reconstructions", "lesions.csv"]


def an_earlier_run(out) -> None:
    tell_written(out)
    for name in ("metrics.csv", "structures.csv", "figures/structures.png", "reconstructions/a.nii.gz"):
        (out / name).parent.mkdir(parents=True, exist_ok=True)
        (out / name).touch()


def test_outputs_of_an_earlier_run_that_the_new_one_does_not_replace_are_told_once(tmp_path, caplog):
    an_earlier_run(tmp_path)
    claim_outputs(tmp_path, CLAIMED, overwrite=True)
    for name in ("metrics.csv", "reconstructions/b.nii.gz"):
        write_whole(tmp_path / name, b"")
    assert said(tmp_path, caplog) == [
        "metrics.csv, reconstructions/b.nii.gz",
        "structures.csv, figures/structures.png, reconstructions/a.nii.gz",
    ]
    assert [record.levelname for record in caplog.records] == ["INFO", "WARNING"]
    write_whole(tmp_path / "metrics.csv", b"")
    assert said(tmp_path, caplog) == ["metrics.csv"]


def test_a_folder_that_was_written_anew_as_a_whole_has_left_nothing(tmp_path, caplog):
    (tmp_path / "series").mkdir()
    (tmp_path / "series" / "1.dcm").touch()
    claim_outputs(tmp_path, ["series"], overwrite=True)
    with atomic_folder(tmp_path / "series") as folder:
        (folder / "1.dcm").touch()
    assert said(tmp_path, caplog) == ["series"]


@pytest.mark.parametrize("resume", [True, "true"])
def test_run_that_goes_on_with_its_outputs_has_left_none_of_an_earlier_one(tmp_path, caplog, resume):
    an_earlier_run(tmp_path)
    claim_outputs(tmp_path, CLAIMED, resume=resume)
    write_whole(tmp_path / "metrics.csv", b"")
    assert said(tmp_path, caplog) == ["metrics.csv"]


def test_what_was_free_when_a_run_began_and_another_wrote_since_is_not_replaced(tmp_path):
    claim_outputs(tmp_path, ["model.pt", "series"])
    (tmp_path / "model.pt").write_text("of the other run")
    with pytest.raises(BundleError, match="model.pt was written by another run since this one began, and is not"):
        write_whole(tmp_path / "model.pt", b"mine")
    (tmp_path / "series").mkdir()
    (tmp_path / "series" / "1.dcm").touch()
    with pytest.raises(BundleError, match="series was written by another run"):
        with atomic_folder(tmp_path / "series") as folder:
            (folder / "2.dcm").touch()
    assert (tmp_path / "model.pt").read_text() == "of the other run"
    assert sorted(path.name for path in tmp_path.rglob("*")) == ["1.dcm", "model.pt", "series"]


def test_a_run_may_write_its_own_files_again_and_what_it_was_allowed_to_replace(tmp_path):
    claim_outputs(tmp_path, ["model.pt"])
    write_whole(tmp_path / "model.pt", b"first epoch")
    write_whole(tmp_path / "model.pt", b"second epoch")
    claim_outputs(tmp_path, ["model.pt", "last.pt"], overwrite=True)
    (tmp_path / "last.pt").write_text("of another run")
    for name in ("model.pt", "last.pt"):
        write_whole(tmp_path / name, b"mine")
    assert (tmp_path / "last.pt").read_bytes() == b"mine"


def test_of_several_processes_the_first_alone_tells_what_was_left(tmp_path, caplog, monkeypatch):
    monkeypatch.setattr("ignite.distributed.get_rank", lambda: 1)
    an_earlier_run(tmp_path)
    claim_outputs(tmp_path, CLAIMED, overwrite=True)
    note_written(tmp_path / "tensorboard" / "rank1")
    assert said(tmp_path, caplog) == ["tensorboard/rank1"]
