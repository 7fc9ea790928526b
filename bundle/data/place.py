"""Where a stack of slices belongs, as a text that loaders collate: its geometry, its name and its T2 file."""

from __future__ import annotations

import json
from dataclasses import dataclass

from .slices import Geometry

__all__ = ["Place"]


@dataclass(frozen=True)
class Place:
    """What becomes of a stack of slices.

    Attributes:
        geometry: where the slices came from.
        stem: what an output is called.
        t2_file: the T2 file, on whose grid it lies.
    """

    geometry: Geometry
    stem: str
    t2_file: str

    def as_text(self) -> str:
        """JSON."""
        return json.dumps({"geometry": self.geometry.as_dict(), "stem": self.stem, "t2_file": self.t2_file})

    @classmethod
    def from_text(cls, text: str) -> Place:
        """The inverse of :meth:`as_text`."""
        values = json.loads(text)
        return cls(Geometry.from_dict(values["geometry"]), values["stem"], values["t2_file"])
