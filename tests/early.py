"""Work that other processes do, begun before the first test: most tests leave a core idle."""

from __future__ import annotations

import multiprocessing
import os
import pickle
import tempfile
import threading
import warnings
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import pytest

from bundle.outputs import scratch_dir

_worker = ThreadPoolExecutor(1)  # one after the other: the first core is the tests'
_processes = multiprocessing.get_context("forkserver")  # which imports once what each of them would for 9 s
_processes.set_forkserver_preload(["bundle.study.__main__", "monai.bundle", "pytest"])
_filters: list[Any] = []  # of warnings: those of the tests


class Early:
    """A function without arguments that is called once, by whoever asks first; the others wait for what it returns.

    The worker asks before the first test if one of the tests that are to be run is marked ``needs`` with it.
    """

    def __init__(self, work: Callable[[], Any]) -> None:
        self.work = work
        self.lock = threading.Lock()
        self.outcome: tuple[Any, BaseException | None] | None = None

    def __call__(self) -> Any:
        with self.lock:
            if self.outcome is None:
                try:
                    self.outcome = self.work(), None
                except BaseException as error:
                    self.outcome = None, error
        value, error = self.outcome
        if error is not None:
            raise error
        return value


def new_folder() -> Path:
    """An empty folder for early work, below one that was there before the first test, as some look for what is left."""
    return Path(tempfile.mkdtemp(dir=_home()))


@cache
def _home() -> str:
    """Not made as this module is read: each process that works apart reads it, and would leave one behind."""
    return scratch_dir()


def apart(work: Callable[..., Any], *arguments: Any) -> Any:
    """What a module's function returns, called in a process of its own, as early work needs that computes in Python.

    AssertionError where it fails, with all that it printed.
    """
    (printed := new_folder() / "printed.txt").touch()
    ours, theirs = _processes.Pipe(duplex=False)
    process = _processes.Process(target=_work_apart, args=(theirs, printed, _filters, work, arguments), daemon=True)
    process.start()
    theirs.close()
    try:
        return pickle.loads(ours.recv_bytes())
    except EOFError:
        raise AssertionError(printed.read_text()) from None
    finally:
        process.join()


def _work_apart(result: Connection, printed: Path, filters: list, work: Callable[..., Any], arguments: tuple) -> None:
    os.chdir(Path(__file__).parents[1])  # a test may have gone elsewhere
    with printed.open("w") as file:
        for standard in (1, 2):
            os.dup2(file.fileno(), standard)
    warnings.resetwarnings()
    warnings.filters.extend(filters)
    result.send_bytes(pickle.dumps(work(*arguments)))  # torch would leave a tensor's values here, for who asks for them


def begin(items: list[pytest.Item]) -> None:
    """Begin what the tests need, in their order."""
    _filters[:] = warnings.filters
    _home()
    for item in items:
        for mark in item.iter_markers("needs"):
            _worker.submit(mark.args[0])


def cancel() -> None:
    """Forget what has not begun, when the tests end early, and end what is done apart."""
    _worker.shutdown(wait=False, cancel_futures=True)
    for process in multiprocessing.active_children():
        process.terminate()
