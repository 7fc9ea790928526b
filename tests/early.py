"""Work that other processes do, begun before the first test: most tests leave a core idle."""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

_worker = ThreadPoolExecutor(1)  # one after the other: the first core is the tests'


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


def begin(items: list[pytest.Item]) -> None:
    """Begin what the tests need, in their order."""
    for item in items:
        for mark in item.iter_markers("needs"):
            _worker.submit(mark.args[0])


def cancel() -> None:
    """Forget what has not begun, when the tests end early."""
    _worker.shutdown(wait=False, cancel_futures=True)
