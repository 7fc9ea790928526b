"""A file fetched over HTTP: resumed where an earlier transfer ended, and given its name only when it is whole."""

from __future__ import annotations

import logging
import os
import time
from collections.abc import Mapping
from email.utils import parsedate_to_datetime
from http.client import HTTPException, HTTPResponse
from pathlib import Path
from typing import NamedTuple
from urllib.error import HTTPError
from urllib.parse import urlsplit
from urllib.request import Request, urlopen

from tqdm import tqdm

from ..console import progress_bar
from ..errors import BundleError
from ..outputs import cannot_write
from .disk_space import gigabytes

__all__ = ["Remote", "fetch", "look_up", "part_of"]

_ATTEMPTS = 5  # transfers that break off, one after the other, before a person is asked
_PAUSE = 2.0  # s, between them
_PATIENCE = 60  # s, for an answer
_BLOCK = 1 << 20  # bytes
_PART = 206  # HTTP's status for a part of a file
_logger = logging.getLogger(__name__)


class Remote(NamedTuple):
    """A file on a server.

    Attributes:
        url: its address.
        size: bytes.
        ranges: whether the server gives parts of it.
        changed: when, in seconds since 1970; 0 where the server does not say.
    """

    url: str
    size: int
    ranges: bool
    changed: float


def look_up(url: str) -> Remote:
    """Size of a file on a server, and whether it gives parts; transfers a byte.

    Raises:
        BundleError: it is not there, cannot be reached, or its size is not told.
    """
    try:
        with _open(url, {"Range": "bytes=0-0"}) as answer:
            size, ranges = _whole_size(answer), answer.status == _PART
            date = answer.headers.get("Last-Modified")
    except (OSError, HTTPException) as error:
        raise BundleError(f"{url} cannot be reached ({_why(error)}); try again, or name another --source.") from error
    if not size:
        raise BundleError(f"{url} does not tell its size, so that half a transfer would pass; fetch it by other means.")
    try:
        changed = parsedate_to_datetime(date or "").timestamp()
    except ValueError:
        changed = 0.0
    return Remote(url, size, ranges, changed)


def part_of(path: Path) -> Path:
    """Where a file lies until it is whole."""
    return path.with_name(f"{path.name}.part")


def fetch(remote: Remote, path: Path) -> None:
    """Fetch a file; what an earlier transfer has left in ``path.part`` is gone on with where the server can.

    Raises:
        BundleError: the server breaks off again and again or answers with something else, or the disk is full.
    """
    part = part_of(path)
    _drop_useless(remote, part)
    why = ""
    with progress_bar(
        total=remote.size, initial=_size(part), desc=path.name, unit="B", unit_scale=True, unit_divisor=1000
    ) as bar:
        for attempt in range(_ATTEMPTS):
            if _size(part) == remote.size:
                break
            time.sleep(_PAUSE if attempt else 0)
            try:
                _transfer(remote, part, bar)
                why = "the server closed the connection"
            except (OSError, HTTPException) as error:
                why = _why(error)
    if _size(part) != remote.size:
        got = f"{gigabytes(_size(part))} of {gigabytes(remote.size)}"
        again = "to go on from there" if remote.ranges else "to begin anew, as the server gives no parts of files"
        raise BundleError(f"{remote.url} broke off {_ATTEMPTS} times, at last after {got} ({why}); run again {again}.")
    try:
        os.replace(part, path)
    except OSError as error:
        raise cannot_write(path, error) from error


def _drop_useless(remote: Remote, part: Path) -> None:
    """Remove what cannot be gone on with, and say so."""
    if not part.exists():
        return
    reasons = {
        "the server gives no parts of files": not remote.ranges,
        "it is longer than the server's file": _size(part) > remote.size,
        "the server's file is newer": remote.changed > part.stat().st_mtime,
    }
    if why := next((reason for reason, holds in reasons.items() if holds), ""):
        _logger.info("%s cannot be gone on with, as %s: begun anew", part, why)
        part.unlink()
    else:
        _logger.info("%s: gone on with after %s", part, gigabytes(_size(part)))


def _transfer(remote: Remote, part: Path, bar: tqdm) -> None:
    """Append to the part what the server gives until it closes; from the beginning where it gives no parts."""
    start = _size(part) if remote.ranges else 0
    with _open(remote.url, {"Range": f"bytes={start}-"} if start else {}) as answer:
        if start and not (answer.headers.get("Content-Range") or "").startswith(f"bytes {start}-"):
            raise BundleError(f"{remote.url} gave another part than was asked for; delete {part} and run again.")
        if (size := _whole_size(answer)) != remote.size:
            raise BundleError(f"{remote.url} had {remote.size} bytes and now has {size}; delete {part} and run again.")
        bar.n = start
        while block := answer.read(_BLOCK):
            _append(part, block, "ab" if start else "wb")
            start += len(block)
            bar.update(len(block))


def _append(part: Path, block: bytes, mode: str) -> None:
    try:
        with part.open(mode) as file:
            file.write(block)
    except OSError as error:
        raise cannot_write(part, error) from error


def _open(url: str, headers: Mapping[str, str]) -> HTTPResponse:
    """The server's answer.

    Raises:
        BundleError: the address is none of HTTP, or the server refuses.
        OSError, HTTPException: it cannot be reached now.
    """
    if not _is_of_the_web(url):
        raise BundleError(f"{url} is no address of a web server; --source begins with http:// or https://.")
    try:
        return urlopen(Request(url, headers=dict(headers)), timeout=_PATIENCE)
    except HTTPError as error:
        if error.code >= 500:  # the server's own trouble may pass
            raise
        raise BundleError(
            f"{url} is not to be had: the server answers {error.code} {error.reason}; name another --source."
        ) from error


def _is_of_the_web(url: str) -> bool:
    try:
        return urlsplit(url).scheme in ("http", "https")
    except ValueError:  # of brackets that belong to no address
        return False


def _whole_size(answer: HTTPResponse) -> int:
    """Bytes of the whole file; 0 where the server does not say."""
    text = answer.headers.get("Content-Length") or ""
    if answer.status == _PART:
        text = (answer.headers.get("Content-Range") or "").rpartition("/")[2]
    return int(text) if text.isdigit() else 0


def _size(path: Path) -> int:
    return path.stat().st_size if path.exists() else 0


def _why(error: Exception) -> str:
    return str(getattr(error, "reason", "") or error or type(error).__name__)
