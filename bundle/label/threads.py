"""Requests that compute, in threads of their own: the server answers others meanwhile, and ends when it is told to.

MONAI Label computes where the server waits for requests, so that nothing is answered and no signal ends it until then.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, MutableMapping
from contextlib import suppress
from typing import Any

from .guard import Application, Message, Receive, Send

__all__ = ["InThreads", "computing", "start"]

_NAME = "computing"


class InThreads:
    """An ASGI application that runs the POST requests of another one in threads.

    Args:
        app: the server.
    """

    def __init__(self, app: Application) -> None:
        self.app = app

    async def __call__(self, scope: MutableMapping[str, Any], receive: Receive, send: Send) -> None:
        """As ASGI has it."""
        if scope["type"] != "http" or scope["method"] != "POST":
            await self.app(scope, receive, send)
            return
        loop = asyncio.get_running_loop()
        ended: asyncio.Future[BaseException | None] = loop.create_future()

        async def receive_there() -> Message:
            return await _elsewhere(receive(), loop)

        async def send_there(message: Message) -> None:
            await _elsewhere(send(message), loop)

        def answer() -> None:
            error: BaseException | None = None
            try:
                asyncio.run(self.app(scope, receive_there, send_there))  # type: ignore[arg-type]  # a coroutine
            except BaseException as found:  # noqa: BLE001 - raised again where it is waited for
                error = found
            with suppress(RuntimeError):  # the server has ended meanwhile
                loop.call_soon_threadsafe(_settle, ended, error)

        start(answer)
        error = await ended
        if error is not None:
            raise error


def start(function: Callable[[], Any]) -> threading.Thread:
    """Run a function in a thread, which does not keep the program from ending."""
    thread = threading.Thread(target=function, name=_NAME, daemon=True)
    thread.start()
    return thread


def computing() -> bool:
    """Whether a thread of :func:`start` runs."""
    return any(thread.name == _NAME for thread in threading.enumerate())


def _settle(ended: asyncio.Future[BaseException | None], error: BaseException | None) -> None:
    """Unless nobody waits any more."""
    if not ended.done():
        ended.set_result(error)


async def _elsewhere(awaitable: Any, loop: asyncio.AbstractEventLoop) -> Any:
    """What an awaitable of another loop gives."""
    return await asyncio.wrap_future(asyncio.run_coroutine_threadsafe(awaitable, loop))
