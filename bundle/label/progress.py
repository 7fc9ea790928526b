"""How far a reconstruction is: log lines that clients may read, with counts and seconds and nothing of a patient."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from logging.handlers import RotatingFileHandler
from pathlib import Path
from time import monotonic

__all__ = ["SlicesTold", "keep_progress", "told_progress"]

_EVERY = 2.0  # seconds
_MOST = 1 << 20  # bytes of the file
_logger = logging.getLogger(__name__)


def keep_progress(path: Path) -> None:
    """Write the lines to a file, too, which is begun anew: MONAI Label shows ``logs/app.log`` of its app's folder."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("")
    handler = RotatingFileHandler(path, maxBytes=_MOST, backupCount=1, encoding="utf-8")
    handler.setFormatter(logging.Formatter("%(asctime)s %(message)s", "%Y-%m-%d %H:%M:%S"))
    _logger.addHandler(handler)
    _logger.setLevel(logging.INFO)


@contextmanager
def told_progress(what: str) -> Iterator[None]:
    """Say when something begins, how long it took, and whether it ended with a mistake."""
    begin = monotonic()
    _logger.info("%s begins", what)
    try:
        yield
    except BaseException:
        _logger.info("%s ended with a mistake after %.0f s", what, monotonic() - begin)
        raise
    _logger.info("%s done after %.0f s", what, monotonic() - begin)


class SlicesTold:
    """A line now and then with the slices that are done and the seconds that are left of a network's pass.

    An uncertainty needs two passes.
    """

    def __init__(self) -> None:
        self._done = 0
        self._first, self._begin = 0, 0.0  # slices that the first batch of the pass had, and when it was done
        self._told = 0.0

    def __call__(self, done: int, slices: int) -> None:
        """Take how many slices are done, and how many there are."""
        now = monotonic()
        if self._done in (0, slices):
            self._first, self._begin = done, now
        elif done < slices and now - self._told >= _EVERY:
            left = (now - self._begin) / (done - self._first) * (slices - done)
            _logger.info("%d of %d slices reconstructed, %.0f s left", done, slices, left)
            self._told = now
        if done == slices:
            _logger.info("all %d slices reconstructed", slices)
        self._done = done
