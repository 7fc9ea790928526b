"""Headless Chromium, driven over a pipe by its own protocol: pages are opened, asked and photographed."""

from __future__ import annotations

import base64
import json
import os
import shutil
import subprocess
import time
from pathlib import Path
from typing import Any

CHROMIUM = next(
    (path for path in ("/usr/lib/chromium/chromium", shutil.which("chromium") or "") if os.path.exists(path)), ""
)
MISSING = "" if CHROMIUM else "needs a browser: apt-get install --no-install-recommends chromium"
_OPTIONS = """--headless=new --no-sandbox --disable-dev-shm-usage --hide-scrollbars --no-first-run
--remote-debugging-pipe --use-gl=angle --use-angle=swiftshader --enable-unsafe-swiftshader""".split()


class Browser:
    """One page of a browser; ``profile`` is an empty folder for what it keeps."""

    def __init__(self, profile: Path, width: int = 1400, height: int = 800) -> None:
        theirs_in, self._out = os.pipe()
        self._in, theirs_out = os.pipe()
        options = [*_OPTIONS, f"--user-data-dir={profile}", f"--window-size={width},{height}", "about:blank"]
        redirected = f'exec "$0" "$@" 3<&{theirs_in} 4>&{theirs_out}'  # where the protocol wants its pipes
        self.process = subprocess.Popen(
            ["bash", "-c", redirected, CHROMIUM, *options],
            pass_fds=(theirs_in, theirs_out),
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        os.close(theirs_in)
        os.close(theirs_out)
        self._session, self._number, self._read = "", 0, b""
        page = self._ask("Target.createTarget", url="about:blank")["targetId"]
        self._session = self._ask("Target.attachToTarget", targetId=page, flatten=True)["sessionId"]
        size = {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": False}
        self._ask("Emulation.setDeviceMetricsOverride", **size)

    def open(self, url: str) -> None:
        """Go to a page; returns before it is there."""
        self._ask("Page.navigate", url=url)

    def value(self, script: str) -> Any:
        """Of an expression in the page's language."""
        return self._ask("Runtime.evaluate", expression=script, returnByValue=True)["result"].get("value")

    def wait_for(self, script: str, seconds: float = 120) -> Any:
        """The value of an expression once it is true; an AssertionError with the page's text where it stays false."""
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            if value := self.value(script):
                return value
            time.sleep(0.2)
        raise AssertionError(f"{script} did not become true: {self.value('document.body.innerText')}")

    def click(self, element: str, times: int = 1) -> None:
        """In the middle of an element, which an expression of the page's language tells."""
        box = (
            f"(e => {{const b = e.getBoundingClientRect(); return [b.x + b.width / 2, b.y + b.height / 2]}})({element})"
        )
        x, y = self.value(box)
        for count in range(1, times + 1):
            for kind in ("mousePressed", "mouseReleased"):
                self._ask("Input.dispatchMouseEvent", type=kind, x=x, y=y, button="left", clickCount=count)

    def press_down(self) -> None:
        """The key of the arrow down."""
        for kind in ("keyDown", "keyUp"):
            self._ask("Input.dispatchKeyEvent", type=kind, key="ArrowDown", code="ArrowDown", windowsVirtualKeyCode=40)

    def picture(self, path: Path) -> Path:
        """What the page shows, as PNG."""
        path.write_bytes(base64.b64decode(self._ask("Page.captureScreenshot", format="png")["data"]))
        return path

    def end(self) -> None:
        """Close it."""
        self.process.terminate()
        self.process.wait(timeout=60)
        os.close(self._in)
        os.close(self._out)

    def _ask(self, method: str, **params: Any) -> dict[str, Any]:
        self._number += 1
        message = {"id": self._number, "method": method, "params": params}
        message |= {"sessionId": self._session} if self._session else {}
        os.write(self._out, json.dumps(message).encode() + b"\0")
        while True:
            answer = json.loads(self._next())
            if answer.get("id") == self._number:
                assert "error" not in answer, answer
                return dict(answer["result"])

    def _next(self) -> bytes:
        while b"\0" not in self._read:
            some = os.read(self._in, 1 << 20)
            assert some, "the browser ended"
            self._read += some
        message, _, self._read = self._read.partition(b"\0")
        return message
