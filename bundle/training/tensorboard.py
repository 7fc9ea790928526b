"""TensorBoard's event files, made when the first value comes."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from functools import partial
from typing import Any

from ..outputs import cannot_write
from ..paths import path_of
from ..settings import flag
from ..written import note_written

__all__ = ["TensorBoard"]

_logger = logging.getLogger(__name__)


class TensorBoard:
    """A ``SummaryWriter`` that makes its folder at its first use, so that a run that is refused leaves none.

    Args:
        log_dir: gets the event files.
        overwrite: remove those of an earlier run that are there; else a line tells of them, as TensorBoard draws all
            as one run.
        resume: they are of this very run, which goes on.

    Raises:
        BundleError: at use, where they cannot be written. Values reach the disk later than they are given; what was
            written before stays.
    """

    def __init__(self, log_dir: str, overwrite: bool = False, resume: bool = False) -> None:
        self.log_dir = path_of("output_dir", log_dir)
        self.overwrite, self.resume = flag("overwrite", overwrite), flag("resume", resume)
        self._writer: Any = None

    def add_scalar(self, *values: Any, **options: Any) -> None:
        """As ``SummaryWriter``'s."""
        self._write("add_scalar", *values, **options)

    def add_figure(self, *values: Any, **options: Any) -> None:
        """As ``SummaryWriter``'s."""
        self._write("add_figure", *values, **options)

    def flush(self) -> None:
        """Write what has come so far; nothing where nothing has."""
        if self._writer is not None:
            self._write("flush")

    def close(self) -> None:
        """Write all, and make no more events."""
        if self._writer is not None:
            self._write("close")

    def _write(self, name: str, *values: Any, **options: Any) -> None:
        from torch.utils.tensorboard import SummaryWriter  # takes a second

        try:
            if self._writer is None:
                self._settle_earlier()
                self._writer = SummaryWriter(str(self.log_dir))
                threading.excepthook = partial(_tell_others, threading.excepthook)
                note_written(self.log_dir)
            getattr(self._writer, name)(*values, **options)
        except OSError as error:
            raise cannot_write(self.log_dir, error) from error

    def _settle_earlier(self) -> None:
        earlier = [] if self.resume else list(self.log_dir.glob("events.out.tfevents.*"))
        for file in earlier if self.overwrite else ():
            file.unlink()
        if earlier and not self.overwrite:
            _logger.warning(
                "%s holds curves of an earlier run, which TensorBoard draws with those of this one as one run; remove "
                "them to see these alone.",
                self.log_dir,
            )


def _tell_others(hook: Callable[[Any], object], failure: Any) -> None:
    """Print what failed in a thread, but for TensorBoard's own that cannot write: the next event raises it again."""
    if not (isinstance(failure.exc_value, OSError) and type(failure.thread).__module__.startswith("tensorboard.")):
        hook(failure)
