"""A real server of MONAI Label on a folder of small studies; its tests are skipped where it is not installed."""

from __future__ import annotations

import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest

from tests.bundle_runs import ROOT
from tests.nifti_pairs import write_pair

QUICK = {"image_size": 32, "acceleration": 4}


def free_port() -> int:
    """Of this machine, which nothing listens at."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return int(free.getsockname()[1])


class Server:
    """A server's process, and what is asked of it; ``tmp`` is where its temporary files go."""

    def __init__(self, folder: Path, studies: Path | str, *options: str) -> None:
        self.studies, self.work, self.tmp = studies, folder / "work", folder / "tmp"
        self.tmp.mkdir()
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self.log = folder / "log"
        command = [sys.executable, "-m", "bundle", "label", str(studies), "--work", str(self.work)]
        environment = os.environ | {"OMP_NUM_THREADS": "1", "TMPDIR": str(self.tmp)}
        with self.log.open("w") as log:
            arguments = [*command, "--port", str(self.port), *options]
            self.process = subprocess.Popen(arguments, cwd=ROOT, env=environment, stdout=log, stderr=log)

    def wait(self) -> Server:
        """Until it answers."""
        while True:
            assert self.process.poll() is None, self.log.read_text()
            try:
                return self if self.ask("GET", "/info/")[0] == 200 else self
            except (ConnectionError, urllib.error.URLError):
                time.sleep(0.5)

    def ask(self, method: str, path: str, body: bytes | None = None, **headers: str) -> tuple[int, bytes]:
        """Status and content of an answer."""
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        request = urllib.request.Request(self.url + path, body, named, method=method)
        try:
            with urllib.request.urlopen(request, timeout=600) as answer:
                return answer.status, answer.read()
        except urllib.error.HTTPError as error:
            return error.code, error.read()

    def post(self, path: str, value: Any) -> tuple[int, Any]:
        """Status and value of the answer to a JSON request."""
        status, content = self.ask("POST", path, json.dumps(value).encode(), Content_Type="application/json")
        return status, json.loads(content)

    def infer(self, image: str, model: str = "t2_from_t1", output: str = "image", **params: Any) -> tuple[int, bytes]:
        """Status and file, or sentence, of a reconstruction."""
        query = urllib.parse.urlencode({"image": image, "output": output})
        body = urllib.parse.urlencode({"params": json.dumps(QUICK | params)}).encode()
        return self.ask("POST", f"/infer/{model}?{query}", body, Content_Type="application/x-www-form-urlencoded")

    def left(self) -> list[str]:
        """Names of the files that lie in its temporary folders; an answer comes a moment before they are emptied."""
        for _ in range(100):
            names = [str(path.relative_to(self.tmp)) for path in self.tmp.rglob("*") if path.is_file()]
            if not names:
                break
            time.sleep(0.1)
        return names

    def end(self) -> int:
        """Tell it to end; returns its exit status."""
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(timeout=120)


def need_monai_label() -> None:
    """Skip the test where it is not installed."""
    if find_spec("monailabel") is None:
        pytest.skip("MONAI Label is not installed here; make label-test runs this where it is")


def server_on(folder: Path, studies: Path | str) -> Iterator[Server]:
    """A server that answers; it is told to end afterwards."""
    server = Server(folder, studies).wait()
    yield server
    if server.process.poll() is None:
        server.end()


@pytest.fixture(scope="session")
def server(tmp_path_factory) -> Iterator[Server]:
    need_monai_label()
    folder = tmp_path_factory.mktemp("server")
    studies = make_studies(folder / "studies")
    (folder / "other").mkdir()
    shutil.copy(studies / "a-T2.nii.gz", folder / "other" / "secret-T2.nii.gz")
    yield from server_on(folder, studies)


def make_studies(folder: Path) -> Path:
    """Two studies with a T1, ``a`` and ``b``, one without, ``c``, and ``d``, which is no NIfTI file."""
    (folder / "T1").mkdir(parents=True)
    for name, seed in (("a", 0), ("b", 3), ("c", 5)):
        t1, _ = write_pair(folder, name, seed)
        shutil.move(t1, folder / "T1")
    (folder / "T1" / "c-T1.nii.gz").unlink()
    (folder / "d-T2.nrrd").write_text("NRRD0004\n")
    return folder
