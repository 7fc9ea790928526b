"""TensorBoard's event files, made when the first value comes."""

from __future__ import annotations

from typing import Any

from ..errors import BundleError
from ..paths import path_of
from ..written import note_written

__all__ = ["TensorBoard"]


class TensorBoard:
    """A ``SummaryWriter`` that makes its folder at its first use, so that a run that is refused leaves none.

    Args:
        log_dir: gets the event files.

    Raises:
        BundleError: at use, where they cannot be written. Values reach the disk later than they are given; what was
            written before stays.
    """

    def __init__(self, log_dir: str) -> None:
        self.log_dir = path_of("output_dir", log_dir)
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
                self._writer = SummaryWriter(str(self.log_dir))
                note_written(self.log_dir)
            getattr(self._writer, name)(*values, **options)
        except OSError as error:
            raise BundleError(
                f"Cannot write TensorBoard's events to {self.log_dir}: {error.strerror or error}; make room or choose "
                "another folder."
            ) from error
