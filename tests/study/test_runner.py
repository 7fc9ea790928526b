"""Of a study's runs those are done that are not done yet, and it is said how many these are."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import pytest

from bundle.study import runner
from tests.study.studies import study_of


@pytest.mark.parametrize(
    ("asked", "before", "told"),
    [
        (1, 0, "1 run, not done before."),
        (1, 1, "1 run, done before."),
        (3, 0, "3 runs, none of them done before."),
        (3, 1, "3 runs, 1 of them done before."),
        (3, 3, "3 runs, all of them done before."),
    ],
)
def test_only_what_was_not_done_before_is_done_and_this_is_told(asked, before, told, tmp_path, monkeypatch, capsys):
    study, started = study_of(), []
    runs = study.runs()[:asked]
    monkeypatch.setattr(runner, "is_done", lambda _study, run, _output_dir: run in runs[:before])
    monkeypatch.setattr(runner, "prepare", lambda *_: None)
    monkeypatch.setattr(runner, "run_in_process", lambda _, run, *__: started.append(run) or run.record("done"))
    assert runner.do_runs(study, runs, tmp_path, ThreadPoolExecutor(1)) == 0
    assert started == runs[before:] and capsys.readouterr().out.splitlines()[0] == told
