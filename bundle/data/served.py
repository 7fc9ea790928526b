"""Transforms that a web server calls one by one, as MONAI Label does: its client is told of a mistake.

FastAPI sends a client the text of its own exception, and of any other "Internal Server Error" alone.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from typing import Any

from monai.transforms import Compose

from ..errors import first_bundle_error

__all__ = ["ServedCompose"]


class ServedCompose(Compose):
    """MONAI's ``Compose`` of transforms that raise a ``BundleError`` as FastAPI's exception where that is loaded.

    Args:
        transforms: from item to item.
    """

    def __init__(self, transforms: Sequence[Callable[[Any], Any]]) -> None:
        super().__init__([_told(transform) for transform in transforms])


class _Told:
    """Another transform, whose mistakes reach a client."""

    transform: Callable[[Any], Any]

    def __call__(self, data: Any) -> Any:
        try:
            return self.transform(data)
        except Exception as error:
            sentence, web = first_bundle_error(error), sys.modules.get("starlette.exceptions")
            if sentence is None or web is None:
                raise
            raise web.HTTPException(400, sentence) from error


def _told(transform: Callable[[Any], Any]) -> _Told:
    """Of the other's name, by which MONAI Label tells the time that it took."""
    told = type(type(transform).__name__, (_Told,), {})()
    told.transform = transform
    return told
