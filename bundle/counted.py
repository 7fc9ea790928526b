"""A number of things, as people say it."""

from __future__ import annotations

from collections.abc import Iterable

__all__ = ["counted"]


def counted(numbers: int | Iterable[int], what: str) -> str:
    """*1 subject*, *4 to 6 subjects*; ``numbers`` is one number, or as many as there are of them."""
    found = sorted(set(numbers) if isinstance(numbers, Iterable) else {numbers})
    return f"{found[0]}{f' to {found[-1]}' * (len(found) > 1)} {what}{'s' * (found != [1])}"
