"""What the tests of IXI's preparation share."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from bundle.ixi import download

from .loopback import Loopback, serving


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[Loopback]:
    """A server on this machine, and no pause before it is asked again."""
    monkeypatch.setattr(download, "_PAUSE", 0)
    with serving() as loopback:
        yield loopback
