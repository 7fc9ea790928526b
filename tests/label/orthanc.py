"""A real DICOMweb store: Debian's orthanc with its plugin, on loopback; where it is not installed, what is told."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Iterable
from io import BytesIO
from pathlib import Path
from typing import Any

import pydicom

from tests.bundle_runs import ROOT
from tests.label.conftest import free_port

PLUGIN = Path("/usr/share/orthanc/plugins/libOrthancDicomWeb.so")
_COMMAND = "apt-get install --no-install-recommends orthanc orthanc-dicomweb"
MISSING = "" if shutil.which("Orthanc") and PLUGIN.exists() else f"needs a DICOMweb store: {_COMMAND}"


def documented_config() -> dict[str, Any]:
    """Orthanc's settings as docs/monai_label.md has them."""
    text = (ROOT / "docs" / "monai_label.md").read_text(encoding="utf-8")
    (config,) = re.findall(r"orthanc\.json <<'END'\n(.+?)\n *END", text, re.DOTALL)
    return dict(json.loads(config))


class Orthanc:
    """A store's process; ``url`` is that of its DICOMweb."""

    def __init__(self, folder: Path, config: dict[str, Any]) -> None:
        self.port = free_port()
        self.root = f"http://127.0.0.1:{self.port}"
        self.url = self.root + "/dicom-web"
        path = folder / "orthanc.json"
        places = {"StorageDirectory": str(folder / "images"), "IndexDirectory": str(folder / "images")}
        path.write_text(json.dumps(config | places | {"HttpPort": self.port}))
        self.log = folder / "orthanc.log"
        with self.log.open("w") as log:
            self.process = subprocess.Popen(["Orthanc", str(path)], stdout=log, stderr=log)

    def wait(self) -> Orthanc:
        """Until it answers."""
        while True:
            assert self.process.poll() is None, self.log.read_text()
            try:
                self.ask("/system")
                return self
            except (ConnectionError, urllib.error.URLError):
                time.sleep(0.2)

    def ask(self, path: str, body: bytes | None = None, method: str | None = None) -> Any:
        """Value of the answer of its own interface."""
        request = urllib.request.Request(self.root + path, body, method=method)
        with urllib.request.urlopen(request, timeout=60) as answer:
            return json.loads(answer.read())

    def add(self, files: Iterable[Path]) -> None:
        """Images, one a file."""
        for file in files:
            self.ask("/instances", file.read_bytes())

    def series(self) -> dict[str, dict[str, Any]]:
        """Series UID -> description, number of images, and Orthanc's own name of it."""
        found = {}
        for one in self.ask("/series?expand"):
            tags = one["MainDicomTags"]
            told = {"description": tags.get("SeriesDescription", ""), "images": len(one["Instances"])}
            found[tags["SeriesInstanceUID"]] = told | {"id": one["ID"], "instances": one["Instances"]}
        return found

    def image(self, name: str) -> pydicom.Dataset:
        """One of its images, by Orthanc's name."""
        with urllib.request.urlopen(f"{self.root}/instances/{name}/file", timeout=60) as answer:
            return pydicom.dcmread(BytesIO(answer.read()))

    def end(self) -> None:
        """Tell it to end."""
        self.process.terminate()
        self.process.wait(timeout=60)
