"""A run tells what it has written, in one line, and no more than that."""

from __future__ import annotations

import logging

from bundle.outputs import write_whole
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
