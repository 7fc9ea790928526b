"""One run at a time in a folder of outputs: a second one would mix its files with those of the first."""

from __future__ import annotations

import logging
from contextlib import suppress
from pathlib import Path

from filelock import FileLock, Timeout
from ignite.engine import Engine, Events

from .errors import BundleError
from .paths import path_of
from .written import check_still_free

__all__ = ["SoleWriter"]

_logger = logging.getLogger(__name__)


class SoleWriter:
    """Hold a folder within a block, or while an engine runs; other processes that want it for the same are refused.

    It is free again if the process dies. One process may hold it several times, also from several threads.

    Args:
        folder: made if need be; a hidden file stands in it meanwhile.
        what: is done in it, such as ``training``.
        instead: what to give.
    """

    def __init__(self, folder: str | Path, what: str, instead: str = "another output_dir") -> None:
        self.folder, self.what, self.instead = path_of("output_dir", folder), what, instead
        self._file = self.folder.absolute() / f".{what}.lock"
        self._lock = FileLock(self._file, timeout=0, thread_local=False, is_singleton=True)

    def attach(self, engine: Engine) -> None:
        """As a handler of Ignite's: hold the folder from the start of a run to its end."""
        engine.add_event_handler(Events.STARTED, self.__enter__)
        engine.add_event_handler(Events.COMPLETED, self.__exit__)
        engine.add_event_handler(Events.EXCEPTION_RAISED, self._leave)

    def __enter__(self, *_: object) -> None:
        """BundleError where another process holds the folder, or has written since what this one claimed in it."""
        self.folder.mkdir(parents=True, exist_ok=True)
        try:
            self._lock.acquire()
        except Timeout as error:
            raise BundleError(
                f"Another {self.what} is writing to {self.folder}; wait for its end, or give {self.instead}."
            ) from error
        except (OSError, NotImplementedError):
            _logger.warning("%s cannot be locked; see that no other %s writes to it meanwhile.", self.folder, self.what)
        try:
            check_still_free(self.folder)
        except BundleError:
            self.__exit__()
            raise

    def __exit__(self, *_: object) -> None:
        if self._lock.lock_counter == 1:
            with suppress(OSError):  # Windows keeps a file that is open
                self._file.unlink()
        self._lock.release()

    def _leave(self, engine: Engine, error: BaseException) -> None:
        """Let the folder go; with a handler Ignite would keep the error to itself."""
        self.__exit__()
        raise error
