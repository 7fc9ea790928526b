"""Where the server keeps what is its own: trained weights, registrations, and the temporary files of requests."""

from __future__ import annotations

import os
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..errors import BundleError
from ..paths import own_path

__all__ = ["SHIPPED", "Places"]

SHIPPED = "shipped"
_NEWEST = "newest"
_VARIABLE = "MANET_LABEL_WORK"  # so that the server's own processes find them, too


@dataclass(frozen=True)
class Places:
    """The server's own folder.

    Attributes:
        work: the folder; it is made at the first use.
    """

    work: Path

    @classmethod
    def of_server(cls) -> Places:
        """Those of the server that this process belongs to."""
        return cls(Path(os.environ[_VARIABLE]))

    def announce(self) -> None:
        """Let this process, and those that it starts, find them."""
        os.environ[_VARIABLE] = str(self.work)

    @property
    def trained(self) -> Path:
        """The weights of the last training, which need not be there."""
        return self.work / "weights" / "model.pt"

    @property
    def registrations(self) -> Path:
        """A folder: numbers, no image."""
        return self.work / "registrations"

    @property
    def store(self) -> Path:
        """What MONAI Label notes of a DICOMweb store: no image."""
        return self.work / "store"

    @property
    def progress(self) -> Path:
        """The log that clients may read; MONAI Label shows this file of its app's folder."""
        return self.work / "logs" / "app.log"

    def scratch(self) -> Path:
        """What is temporary; the server empties it."""
        return Path(tempfile.gettempdir())

    def weights(self, choice: Any = None) -> Path:
        """The weights to reconstruct with: of the last training, or those that are shipped where there was none.

        Args:
            choice: ``newest`` or ``shipped``, or a list whose first is one of them; None for the newest.

        Raises:
            BundleError: another.
        """
        choice = choice[0] if isinstance(choice, (list, tuple)) and choice else choice
        if choice not in (None, "", _NEWEST, SHIPPED):
            raise BundleError(f"weights is newest or shipped, not {choice!r}.")
        newest = choice != SHIPPED and self.trained.is_file()
        return self.trained if newest else own_path("models/model.pt")
