"""A mistake in a transform that a web server calls reaches the server's client."""

from __future__ import annotations

import sys
from types import SimpleNamespace

import pytest
from monai.transforms import Identity

from bundle.data import NamedPaird, ServedCompose
from bundle.errors import BundleError


class HTTPException(Exception):
    """As FastAPI's."""

    def __init__(self, status_code: int, detail: str) -> None:
        super().__init__(status_code, detail)


def test_each_transform_does_and_is_called_what_it_was():
    first, second = ServedCompose([Identity(), NamedPaird()]).transforms
    assert first("item") == "item"
    assert [type(one).__name__ for one in (first, second)] == ["Identity", "NamedPaird"]


@pytest.mark.parametrize("server", [True, False], ids=["in a server", "elsewhere"])
def test_a_mistake_is_the_servers_own_exception_only_where_there_is_one(monkeypatch, server):
    web = SimpleNamespace(HTTPException=HTTPException) if server else None
    monkeypatch.setitem(sys.modules, "starlette.exceptions", web)
    (pair,) = ServedCompose([NamedPaird()]).transforms
    with pytest.raises(HTTPException if server else BundleError, match="The image is the path of a NIfTI file"):
        pair({})


def test_what_is_no_mistake_of_a_user_stays_as_it_is(monkeypatch):
    monkeypatch.setitem(sys.modules, "starlette.exceptions", SimpleNamespace(HTTPException=HTTPException))
    (broken,) = ServedCompose([lambda data: data["missing"]]).transforms
    with pytest.raises(KeyError, match="missing"):
        broken({})
