"""A study whose runs share one process: one of its own for each would import MONAI for longer than it runs."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import Executor, Future

import pytest

from bundle.study import __main__ as command
from bundle.study import runner
from bundle.study.runs import execute, read_record


class Here(Executor):
    """Does one after the other, at once."""

    def submit(self, work, /, *arguments, **more):
        done: Future = Future()
        done.set_result(work(*arguments, **more))
        return done


def study_here(arguments: Sequence[str]) -> int:
    """``python -m bundle study`` with these arguments: its exit status."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(command, "local_executor", lambda devices: Here())
        patch.setattr(runner, "run_in_process", _run)
        return command.main(arguments)


def _run(study, run, output_dir, threads):
    execute(study, run, output_dir, "cpu")
    return read_record(run, output_dir)
