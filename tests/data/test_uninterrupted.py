"""Ctrl-C within the block comes at its end, and not at all where Python does not handle it."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator

import pytest

from bundle.data.uninterrupted import uninterrupted


@pytest.fixture(autouse=True)
def _handled_by_python() -> Iterator[None]:
    before = signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell ignores it behind a "&"
    yield
    signal.signal(signal.SIGINT, before)


def test_ctrl_c_comes_at_the_end_of_the_block_and_later_ones_at_once():
    done = []
    with pytest.raises(KeyboardInterrupt):
        with uninterrupted():
            signal.raise_signal(signal.SIGINT)
            done.append("all of it")
        done.append("more")
    assert done == ["all of it"] and signal.getsignal(signal.SIGINT) is signal.default_int_handler
    with pytest.raises(KeyboardInterrupt):
        signal.raise_signal(signal.SIGINT)


def test_an_ignored_signal_stays_so_and_other_threads_leave_it_alone():
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        with uninterrupted():
            signal.raise_signal(signal.SIGINT)
        assert signal.getsignal(signal.SIGINT) is signal.SIG_IGN
    finally:
        signal.signal(signal.SIGINT, before)
    seen = []

    def work() -> None:
        with uninterrupted():
            seen.append(signal.getsignal(signal.SIGINT))

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    assert seen == [before]
