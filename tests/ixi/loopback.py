"""A web server on this machine that can misbehave as those of the world do."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


class Loopback(ThreadingHTTPServer):
    """Serves ``files``.

    Attributes:
        files: path -> content.
        ranges: whether parts are given.
        breaks: after how many bytes each of the next transfers is closed.
        told: what Content-Length says instead; None: the truth, empty: nothing.
        status: of every answer; None: as it should be.
        date: Last-Modified.
        asked: the Range of every transfer, those that only look excepted.
    """

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.files: dict[str, bytes] = {}
        self.ranges = True
        self.breaks: list[int] = []
        self.told: list[str] = []
        self.status: int | None = None
        self.date: str | None = None
        self.asked: list[str | None] = []

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}"


class _Handler(BaseHTTPRequestHandler):
    server: Loopback

    def do_GET(self) -> None:
        asked = self.headers.get("Range")
        content = self.server.files.get(self.path)
        if self.server.status or content is None:
            self.send_error(self.server.status or 404)
            return
        first, _, last = (asked or "bytes=0-").removeprefix("bytes=").partition("-")
        start, end = (int(first), int(last or len(content) - 1)) if self.server.ranges else (0, len(content) - 1)
        part = content[start : end + 1]
        self.send_response(206 if asked and self.server.ranges else 200)
        if asked and self.server.ranges:
            self.send_header("Content-Range", f"bytes {start}-{end}/{len(content)}")
        length = self.server.told.pop(0) if self.server.told else str(len(part))
        if length:
            self.send_header("Content-Length", length)
        if self.server.date:
            self.send_header("Last-Modified", self.server.date)
        self.end_headers()
        if asked != "bytes=0-0":
            self.server.asked.append(asked)
            part = part[: self.server.breaks.pop(0)] if self.server.breaks else part
        self.wfile.write(part)

    def log_message(self, *_: object) -> None:
        pass


@contextmanager
def serving() -> Iterator[Loopback]:
    server = Loopback()
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        yield server
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
