"""A request that computes keeps no other from being answered."""

from __future__ import annotations

import asyncio
import threading

import pytest

from bundle.label.threads import InThreads, computing, start


def test_another_request_is_answered_while_one_computes_and_both_get_what_is_theirs():
    answered = threading.Event()

    async def app(scope, receive, send):
        if scope["method"] == "POST":
            assert answered.wait(timeout=60)  # as MONAI Label computes: nothing else of this loop goes on
        await send({"scope": scope["method"], "body": (await receive())["body"]})

    async def ask(method: str) -> dict:
        sent: list[dict] = []

        async def receive() -> dict:
            return {"body": f"of {method}"}

        async def send(message: dict) -> None:
            sent.append(message)

        await InThreads(app)({"type": "http", "method": method}, receive, send)
        return sent[0]

    async def both() -> tuple[dict, dict]:
        slow = asyncio.create_task(ask("POST"))
        await asyncio.sleep(0)
        quick = await ask("GET")
        assert computing()
        answered.set()
        return await slow, quick

    assert asyncio.run(both()) == ({"scope": "POST", "body": "of POST"}, {"scope": "GET", "body": "of GET"})


def test_what_goes_wrong_in_the_thread_is_raised_where_it_was_asked():
    async def app(scope, receive, send):
        raise OSError("disk full")

    with pytest.raises(OSError, match="disk full"):
        asyncio.run(InThreads(app)({"type": "http", "method": "POST"}, None, None))


def test_a_thread_counts_as_computing_until_it_ends():
    end = threading.Event()
    thread = start(lambda: end.wait(timeout=60))
    assert computing() and thread.daemon
    end.set()
    thread.join()
    assert thread not in threading.enumerate()
