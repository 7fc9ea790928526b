"""Work that other processes do, begun before the first test: most tests leave a core idle."""

from __future__ import annotations

import functools
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any

import pytest

_worker = ThreadPoolExecutor(1)  # one after the other: the first core is the tests'


class Early:
    """A function without arguments, called at most once; calling this waits for what it returned.

    It begins before the first test if one of the tests that are to be run is marked ``needs`` with it.
    """

    def __init__(self, work: Callable[[], Any]) -> None:
        self.work = work

    @functools.cached_property
    def future(self) -> Future:
        """Submitted to the worker when first asked for."""
        return _worker.submit(self.work)

    def __call__(self) -> Any:
        return self.future.result()


def begin(items: list[pytest.Item]) -> None:
    """Begin what the tests need, in their order."""
    for item in items:
        for mark in item.iter_markers("needs"):
            mark.args[0].future  # noqa: B018 - submits it


def cancel() -> None:
    """Forget what has not begun, when the tests end early."""
    _worker.shutdown(wait=False, cancel_futures=True)
