"""Calls in other processes all come back; one whose process dies takes no other with it."""

from __future__ import annotations

import os

from bundle.data import workers


def half(number: int) -> float:
    if number == 3:
        os._exit(1)  # as where memory is short
    return number / 2


def test_each_call_comes_back_and_one_that_dies_as_none(monkeypatch):
    monkeypatch.setattr(workers, "_START", "fork")  # a spawned process would import torch again
    found = dict(workers.results(half, {str(number): (number,) for number in range(6)}, workers=2))
    assert found == {"0": 0, "1": 0.5, "2": 1, "3": None, "4": 2, "5": 2.5}


def test_one_worker_is_this_process():
    assert dict(workers.results(os.getpid, {"a": ()}, workers=1)) == {"a": os.getpid()}
