"""Who is answered, what for, and what stays behind, with no server: the guard around an application of a line."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import Any

import pytest

from bundle.errors import BundleError
from bundle.label.guard import LOOPBACK, OF_A_STORE, Guard


class Asked:
    """An application that notes what reaches it, and writes a temporary file."""

    def __init__(self, scratch: Path) -> None:
        self.scratch, self.bodies = scratch, []

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        self.bodies.append((await receive())["body"])
        (self.scratch / "patient.nii").write_text("voxels")
        (self.scratch / "folder").mkdir()
        await send({"type": "http.response.start", "status": 200, "headers": []})
        if scope["path"] == "/infer/fails":
            raise OSError("disk full")
        await send({"type": "http.response.body", "body": b"{}"})


@pytest.fixture
def asked(tmp_path) -> Asked:
    for name in ("scratch", "studies"):
        (tmp_path / name).mkdir()
    return Asked(tmp_path / "scratch")


def ask(app: Asked, method: str = "GET", path: str = "/info/", body: bytes = b"", clients=LOOPBACK, **given: Any):
    """Status and value of the guard's answer."""
    client, query = given.pop("client", "127.0.0.1"), given.pop("query", "")
    routes = given.pop("routes", ())
    headers = {"host": "127.0.0.1:8000"} | {name.replace("_", "-"): value for name, value in given.items()}
    scope = {"type": "http", "method": method, "path": path, "query_string": query.encode(), "client": (client, 4000)}
    scope["headers"] = [(name.encode(), value.encode()) for name, value in headers.items()]
    halves = [body[: len(body) // 2], body[len(body) // 2 :]]
    messages = [{"type": "http.request", "body": half, "more_body": n == 0} for n, half in enumerate(halves)]
    sent: list[dict] = []

    async def receive() -> dict:
        return messages.pop(0)

    async def send(message: dict) -> None:
        sent.append(message)

    guard = Guard(app, [app.scratch.parent / "studies"], clients, ["acceleration", "t1"], app.scratch, routes)
    asyncio.run(guard(scope, receive, send))
    return sent[0]["status"], json.loads(sent[1]["body"]).get("detail", "")


@pytest.mark.parametrize(
    ("client", "clients", "status"),
    [
        ("127.0.0.1", LOOPBACK, 200),
        ("::1", LOOPBACK, 200),
        ("::ffff:127.0.0.1", LOOPBACK, 200),
        ("10.0.0.7", LOOPBACK, 403),
        ("10.0.0.7", [*LOOPBACK, "10.0.0.7"], 200),
        ("10.0.0.8", [*LOOPBACK, "10.0.0.0/24"], 200),
        ("10.0.1.8", [*LOOPBACK, "10.0.0.0/24"], 403),
        ("", LOOPBACK, 403),
    ],
)
def test_only_addresses_that_it_was_told_are_answered(asked, client, clients, status):
    assert ask(asked, clients=clients, client=client)[0] == status
    assert len(asked.bodies) == (status == 200)


def test_an_operator_who_names_no_address_is_told():
    with pytest.raises(BundleError, match="'my desk' is no address of a client, as 10.0.0.7, or network"):
        Guard(None, [], ["my desk"])


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"origin": "http://127.0.0.1:8000"}, 200),
        ({"host": "localhost:8000", "origin": "http://localhost:8000"}, 200),
        ({"host": "[::1]:8000"}, 200),
        ({"origin": "http://127.0.0.1:9000"}, 403),
        ({"origin": "null"}, 403),
        ({"host": "example.org:8000", "origin": "http://example.org:8000"}, 403),
    ],
)
def test_a_browser_asks_for_its_own_page_only(asked, headers, status):
    assert ask(asked, **headers)[0] == status


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/", 200),
        ("POST", "/infer/t2_from_t1", 200),
        ("POST", "/batch/infer/t2_from_t1", 200),
        ("DELETE", "/train/", 200),
        ("POST", "/infer/wsi/x", 404),
        ("DELETE", "/datastore/image", 404),
        ("PUT", "/datastore/label", 404),
        ("PUT", "/model/x", 404),
        ("POST", "/reload", 404),
        ("GET", "/datastore/label", 200),
        ("GET", "/logs/", 200),
        ("GET", "/logs/gpu", 404),
        ("GET", "/proxy/dicom/x", 404),
    ],
)
def test_only_routes_that_reconstruction_needs_are_served(asked, method, path, status):
    assert ask(asked, method, path)[0] == status


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/ohif/", 200),
        ("GET", "/ohif/viewer", 200),
        ("GET", "/proxy/dicom/qido/studies", 200),
        ("GET", "/proxy/dicom/wado/studies/1.2/series/1.3/instances/1.4/frames/1", 200),
        ("GET", "/proxy/dicom/wado/studies/../../instances", 404),  # Orthanc's own interface
        ("GET", "/proxy/dicom/wado/studies/%2e%2e/x", 404),
        ("GET", "/proxy/dicom/wado/system", 404),
        ("POST", "/proxy/dicom/stow/studies", 404),
        ("GET", "/ohif/../x", 404),
    ],
)
def test_of_a_store_images_and_their_lists_are_passed_on_and_nothing_is_written(asked, method, path, status):
    assert ask(asked, method, path, routes=OF_A_STORE)[0] == status
    assert ask(asked, method, path)[0] == 404


@pytest.mark.parametrize(
    ("body", "status", "said"),
    [
        (b"", 200, ""),
        (b'{"acceleration": 4, "t1": "T1/a.nii"}', 200, ""),
        (b'{"t1": "../a.nii"}', 403, "t1 '../a.nii' is outside the folder of studies"),
        (b'{"bundle_path": "x"}', 400, "There is no parameter bundle_path; there are acceleration, t1."),
        (b"{", 400, "The body of the request is no JSON."),
        (b" " * (2 << 20), 400, "The body of the request is no JSON."),
    ],
)
def test_the_body_is_looked_at_and_handed_on_whole(asked, body, status, said):
    got = ask(asked, "POST", "/train/x", body, content_type="application/json")
    assert got[0] == status and got[1].startswith(said)
    assert asked.bodies == ([body] if status == 200 else [])


def test_paths_of_the_query_stay_inside_however_they_are_written(asked):
    for text in ("../x", "%2e%2e%2fx", "/etc/passwd", "~root"):
        assert ask(asked, path="/datastore/image", query=f"image={text}")[0] == 403
    assert ask(asked, path="/datastore/image", query="image=a-T2")[0] == 200


@pytest.mark.parametrize("path", ["/infer/x", "/infer/fails"])
def test_nothing_temporary_stays_after_an_answer_or_an_error(asked, path):
    try:
        ask(asked, "POST", path)
    except OSError as error:
        assert path == "/infer/fails" and str(error) == "disk full"
    assert asked.bodies and list(asked.scratch.iterdir()) == []
