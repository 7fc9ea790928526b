"""A function called on many arguments in processes of their own; one that dies takes only its own call with it."""

from __future__ import annotations

import multiprocessing
import os
import signal
import threading
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from typing import Any

import torch

from ..outputs import begin_run

__all__ = ["cores", "results"]

_START = "spawn"  # a fork would copy locks that threads of this process hold


def results(
    function: Callable[..., Any], calls: Mapping[str, tuple[Any, ...]], workers: int
) -> Iterator[tuple[str, Any]]:
    """Call a function for each name, and give names with results as they come.

    Args:
        function: of a module's top level.
        calls: name -> arguments, plain.
        workers: processes; with 1 all is done in this one.

    Yields:
        name, result; None in place of a result whose process died, as it does where memory is short.
    """
    if workers == 1:
        yield from ((name, function(*arguments)) for name, arguments in calls.items())
        return
    waiting = list(calls.items())[::-1]
    while waiting:
        running: dict[Future, str] = {}
        try:
            with _pool(workers) as pool:
                while waiting or running:
                    while waiting and len(running) < workers:
                        name, arguments = waiting[-1]
                        with _ctrl_c_later():
                            running[pool.submit(function, *arguments)] = name
                        waiting.pop()
                    for future in wait(running, return_when=FIRST_COMPLETED).done:
                        result = future.result()
                        yield running.pop(future), result
        except BrokenProcessPool:  # whose fault it was is found by calling each alone
            for name in running.values():
                yield name, _alone(function, calls[name])


def cores() -> int:
    """Those that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _alone(function: Callable[..., Any], arguments: tuple[Any, ...]) -> Any:
    try:
        with _pool(1) as pool:
            return pool.submit(function, *arguments).result()
    except BrokenProcessPool:
        return None


@contextmanager
def _pool(workers: int) -> Iterator[ProcessPoolExecutor]:
    """Processes that end with the block: at once where it is left by an error or Ctrl-C."""
    others = set(multiprocessing.active_children())
    pool = ProcessPoolExecutor(workers, multiprocessing.get_context(_START), initializer=_begin)
    try:
        yield pool
    except BaseException:
        for child in set(multiprocessing.active_children()) - others:
            child.terminate()
        raise
    finally:
        pool.shutdown(cancel_futures=True)


@contextmanager
def _ctrl_c_later() -> Iterator[None]:
    """Ctrl-C waits meanwhile; processes that are begun inherit that, and so say nothing while they start."""
    if not hasattr(signal, "pthread_sigmask"):
        yield
        return
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _begin() -> None:
    """In a worker: one thread each, Ctrl-C left to the first process, and no life beyond that one's."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    begin_run()
    torch.set_num_threads(1)
    os.environ["ITK_GLOBAL_DEFAULT_NUMBER_OF_THREADS"] = "1"  # read when its first filter is made
    threading.Thread(target=_end_with_parent, daemon=True).start()


def _end_with_parent() -> None:
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)
