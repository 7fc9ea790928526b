"""One run at a time in a folder of outputs: a second one would mix its files with those of the first."""

from __future__ import annotations

import logging
from contextlib import suppress
from pathlib import Path

from filelock import FileLock, Timeout

from .errors import BundleError

__all__ = ["SoleWriter"]

_LOCK = ".lock"
_logger = logging.getLogger(__name__)


class SoleWriter:
    """Hold a folder within a block; other processes that want it are refused. It is free again if the process dies.

    One process may hold it several times, also from several threads.

    Args:
        folder: made if need be; a hidden file stands in it meanwhile.
        what: is done in it, such as ``training``.
        instead: what to give.
    """

    def __init__(self, folder: Path, what: str, instead: str) -> None:
        self.folder, self.what, self.instead = folder, what, instead
        self._lock = FileLock(folder.absolute() / _LOCK, timeout=0, thread_local=False, is_singleton=True)

    def __enter__(self) -> None:
        """BundleError where another process holds the folder."""
        self.folder.mkdir(parents=True, exist_ok=True)
        try:
            self._lock.acquire()
        except Timeout as error:
            raise BundleError(
                f"Another {self.what} is writing to {self.folder}; wait for its end, or give {self.instead}."
            ) from error
        except (OSError, NotImplementedError):
            _logger.warning("%s cannot be locked; see that no other %s writes to it meanwhile.", self.folder, self.what)

    def __exit__(self, *_: object) -> None:
        if self._lock.lock_counter == 1:
            with suppress(OSError):  # Windows keeps a file that is open
                (self.folder / _LOCK).unlink()
        self._lock.release()
