"""What stands before MONAI Label's server: who may ask, for what, and that nothing of a request stays behind.

An ASGI application around another. MONAI Label itself answers everybody, any page in a browser, and more routes than
reconstruction needs: some delete images, replace weights, fetch other addresses or keep uploads for an hour.
"""

from __future__ import annotations

import ipaddress
import json
import re
import shutil
from collections.abc import Awaitable, Callable, Iterator, Mapping, MutableMapping, Sequence
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, urlsplit

from ..errors import BundleError
from .confined import check_texts

__all__ = ["LOOPBACK", "OF_A_STORE", "Guard"]

Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
Application = Callable[[MutableMapping[str, Any], Receive, Send], Awaitable[None]]

LOOPBACK = ("127.0.0.0/8", "::1/128")
_ROUTES = [  # what clients of a reconstruction need
    (("GET", "HEAD"), r"/|/docs|/openapi\.json|/favicon\.ico|/static/.+|/info/?|/activelearning/?"),
    (("GET", "HEAD"), r"/datastore/?|/datastore/image/?|/datastore/image/info/?|/datastore/label/?|/logs/?"),
    (("GET", "DELETE"), r"/train/?|/batch/infer/?"),
    (("POST",), r"/(infer|batch/infer|train|activelearning)/[^/]+"),
    (("PUT",), r"/datastore/image/?"),
]
_RESOURCE = r"(/(?!\.{1,2}(/|$))[\w.,-]+)*/?"  # no step up, which a proxy would take to other things of a store
OF_A_STORE = [  # what OHIF needs beside: its own files, and a store's images
    (("GET", "HEAD"), rf"/ohif{_RESOURCE}"),
    (("GET", "HEAD"), rf"/proxy/dicom/(qido|wado)/(studies|series|instances){_RESOURCE}"),
]
_MOST = 1 << 20  # bytes of a body that is JSON


class Guard:
    """Answer what may be asked by whom, and pass it on.

    Args:
        app: the server.
        folders: in which the paths of a request must lie; see :mod:`bundle.label.confined`.
        clients: addresses or networks that are answered, as ``10.0.0.7`` or ``10.0.0.0/24``.
        parameters: what the JSON of a request may hold.
        scratch: a folder of temporary files, which is emptied whenever no request is under way; None: none.
        routes: that are served beside the usual ones, methods and pattern each.

    Raises:
        BundleError: a client is no address.
    """

    def __init__(
        self,
        app: Application,
        folders: Sequence[Path],
        clients: Sequence[str] = LOOPBACK,
        parameters: Sequence[str] = (),
        scratch: Path | None = None,
        routes: Sequence[tuple[tuple[str, ...], str]] = (),
    ) -> None:
        self.app = app
        self.folders = [folder.resolve() for folder in folders]
        self.networks = [_network(client) for client in clients]
        self.parameters = set(parameters)
        self.scratch = scratch
        self.routes = [*_ROUTES, *routes]
        self._under_way = 0

    async def __call__(self, scope: MutableMapping[str, Any], receive: Receive, send: Send) -> None:
        """As ASGI has it."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        self._under_way += 1
        try:
            refusal = self._refusal(scope)
            body = await _json_body(scope, receive) if refusal is None else None
            refusal = refusal or self._refusal_of_body(body)
            if refusal is None:
                await self.app(scope, receive if body is None else _again(body, receive), send)
            else:
                await _answer(send, *refusal)
        finally:
            self._under_way -= 1
            self.clean()

    def clean(self) -> None:
        """Empty the scratch folder, unless a request is under way."""
        if self.scratch is not None and not self._under_way:
            for path in self.scratch.iterdir():
                shutil.rmtree(path) if path.is_dir() and not path.is_symlink() else path.unlink(missing_ok=True)

    def _refusal(self, scope: Mapping[str, Any]) -> tuple[int, str] | None:
        """Status and sentence for what is not answered, by all but its body."""
        client = (scope.get("client") or ("",))[0]
        address = _address(client)
        if address is None or not any(address in network for network in self.networks):
            return 403, f"This server does not answer {client}; its operator can allow the address with --allow."
        headers = {name.decode("latin-1").lower(): value.decode("latin-1") for name, value in scope["headers"]}
        if not _is_own_page(headers):
            return 403, "This server answers no other site's pages."
        method, path = scope["method"], scope["path"]
        if method != "OPTIONS" and not any(method in some and re.fullmatch(known, path) for some, known in self.routes):
            return 404, f"This server does not serve {method} {path}; GET / lists what MONAI Label has."
        try:
            for name, value in parse_qsl(scope["query_string"].decode("latin-1"), keep_blank_values=True):
                check_texts(value, self.folders, name)
        except BundleError as error:
            return 403, str(error)
        return None

    def _refusal_of_body(self, body: bytes | None) -> tuple[int, str] | None:
        if not body:
            return None
        try:
            given = json.loads(body)
            check_texts(given, self.folders)
        except BundleError as error:
            return 403, str(error)
        except ValueError:
            return 400, "The body of the request is no JSON."
        names = given if isinstance(given, dict) else {}
        if unknown := sorted(names.keys() - self.parameters):
            return 400, f"There is no parameter {unknown[0]}; there are {', '.join(sorted(self.parameters))}."
        return None


def _network(text: str) -> ipaddress.IPv4Network | ipaddress.IPv6Network:
    try:
        return ipaddress.ip_network(text, strict=False)
    except ValueError as error:
        raise BundleError(f"{text!r} is no address of a client, as 10.0.0.7, or network, as 10.0.0.0/24.") from error


def _address(client: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    try:
        address = ipaddress.ip_address(client)
    except ValueError:
        return None
    return getattr(address, "ipv4_mapped", None) or address


def _is_own_page(headers: Mapping[str, str]) -> bool:
    """Whether a request comes from a program, or from a page of this server, by its number or as localhost."""
    host = headers.get("host", "")
    name = urlsplit(f"//{host}").hostname or ""
    by_number = name == "localhost" or _address(name) is not None
    return by_number and headers.get("origin", f"http://{host}") in (f"http://{host}", f"https://{host}")


async def _json_body(scope: Mapping[str, Any], receive: Receive) -> bytes | None:
    """The whole body where it may be JSON; None where it is a form or there is none to read."""
    kinds = [value for name, value in scope["headers"] if name.lower() == b"content-type"]
    if scope["method"] != "POST" or any(kind.startswith((b"multipart/", b"application/x-www")) for kind in kinds):
        return None
    body = b""
    while True:
        message = await receive()
        body += message.get("body", b"")
        if not message.get("more_body") or len(body) > _MOST:
            return body if len(body) <= _MOST else b"too long"


def _again(body: bytes, receive: Receive) -> Receive:
    """What hands a body on that was read already."""
    messages: Iterator[Message] = iter([{"type": "http.request", "body": body, "more_body": False}])

    async def first() -> Message:
        return next(messages, None) or await receive()

    return first


async def _answer(send: Send, status: int, sentence: str) -> None:
    """As FastAPI tells of a mistake."""
    content = json.dumps({"detail": sentence}).encode()
    headers = [(b"content-type", b"application/json"), (b"content-length", str(len(content)).encode())]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": content})
