"""Pairs prepared by other processes or machines: within :func:`spread_over` an executor does what a loop would do."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Executor, as_completed
from contextlib import contextmanager
from contextvars import ContextVar
from copy import deepcopy
from typing import Any

from ..console import progress_bar
from ..errors import BundleError, first_bundle_error

__all__ = ["do_each", "spread_over", "worker_error"]

_executor: ContextVar[Executor | None] = ContextVar("executor", default=None)


@contextmanager
def spread_over(executor: Executor) -> Iterator[None]:
    """Let what is prepared within this block be prepared by ``executor``, such as that of a Dask cluster.

    Its workers must find this package, the images and the cache's folder under the same paths.
    """
    token = _executor.set(executor)
    try:
        yield
    finally:
        _executor.reset(token)


def do_each(work: Callable[..., Any], tasks: Sequence[tuple[str, tuple]], **bar: Any) -> None:
    """Call ``work`` for each of the tasks, here or by the executor of :func:`spread_over`, with a progress bar.

    Args:
        work: can be pickled; what it returns is dropped.
        tasks: a name for messages, and the arguments.
        bar: options of the progress bar.

    Raises:
        BundleError: of ``work``; or a worker was lost, or cannot do this work. What has not begun then is not done.
    """
    executor = _executor.get()
    if executor is None:
        for _, arguments in progress_bar(tasks, **bar):
            work(*arguments)
        return
    # of their own, as threads of one process would share a random state
    names = {executor.submit(work, *deepcopy(arguments)): name for name, arguments in tasks}
    try:
        for done in progress_bar(as_completed(names), total=len(names), **bar):
            if error := done.exception():
                raise worker_error(error, f"prepare {names[done]}") from error
    except BaseException:
        for task in names:
            task.cancel()
        raise


def worker_error(error: BaseException, what: str) -> BundleError:
    """What is to be told of an error that an executor gives: its own sentence, or that ``what`` could not be done."""
    text = " ".join(str(error).split()).rstrip(".")
    where = "see the worker's log, and whether it finds this package and the data under the same paths"
    return BundleError(
        first_bundle_error(error) or f"A worker could not {what} ({type(error).__name__}: {text}); {where}."
    )
