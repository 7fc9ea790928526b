"""What a folder or a CSV file holds: pairs, and a sentence on everything that is not one of them."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

from ..errors import BundleError
from .splits import Item

__all__ = ["Found"]


class Found(NamedTuple):
    """Pairs with absolute paths, and sentences on what was left out.

    ``named`` are the lists that the source itself names, ``remarks`` what was taken for granted.
    """

    items: list[Item]
    left_out: list[str]
    named: dict[str, set[str]]
    remarks: list[str]

    @classmethod
    def empty(cls) -> Found:
        """Nothing yet."""
        return cls([], [], {}, [])

    def add(self, subject: str, session: str, t1: Path, t2: Path) -> None:
        """One more pair; ``session`` may be empty."""
        self.items.append(
            {"subject": subject, **({"session": session} if session else {}), "t1": str(t1), "t2": str(t2)}
        )

    def at_least_one(self, source: Path) -> Found:
        """The same; BundleError where no pair was found."""
        if self.items:
            return self
        if source.is_file():
            raise BundleError(f"No row of {source} names a pair that can be read: {'; '.join(self.left_out[:3])}.")
        reasons = "; ".join(self.left_out[:3]) or "there is no .nii or .nii.gz file in it"
        raise BundleError(f"{source} holds no T1/T2 pair such as X-T1.nii.gz beside X-T2.nii.gz: {reasons}.")
