"""What clients may read of a reconstruction's progress."""

from __future__ import annotations

import logging

import pytest

from bundle.label import progress


@pytest.fixture
def clock(monkeypatch):
    """Seconds that a test sets."""
    now = [100.0]
    monkeypatch.setattr(progress, "monotonic", lambda: now[0])  # not of the module: other threads read it
    return now


def test_slices_and_seconds_left_are_told_every_two_seconds_in_each_pass(clock, caplog):
    caplog.set_level(logging.INFO)
    told = progress.SlicesTold()
    for _ in range(2):
        for done in (4, 8, 12, 16, 20):
            clock[0] += 1.5
            told(done, 20)
    assert (
        caplog.messages
        == [
            "8 of 20 slices reconstructed, 4 s left",
            "16 of 20 slices reconstructed, 2 s left",
            "all 20 slices reconstructed",
        ]
        * 2
    )


def test_a_file_holds_the_lines_and_of_a_mistake_only_that_there_was_one(clock, tmp_path, monkeypatch):
    monkeypatch.setattr(progress._logger, "handlers", [])
    path = tmp_path / "logs" / "app.log"
    progress.keep_progress(path)
    with pytest.raises(OSError), progress.told_progress("Reconstruction"):
        clock[0] += 7
        raise OSError("patient.nii is broken")
    progress._logger.handlers[0].close()
    lines = path.read_text().splitlines()
    assert [line[20:] for line in lines] == ["Reconstruction begins", "Reconstruction ended with a mistake after 7 s"]
