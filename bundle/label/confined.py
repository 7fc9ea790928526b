"""Which paths a request may name: those in the folder of studies, and in what the operator allows beside it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from ..errors import BundleError
from ..paths import expanded

__all__ = ["check_texts", "confined_path"]


def confined_path(name: str, path: str | Path, folders: Sequence[Path]) -> Path:
    """The path with all links followed.

    Args:
        name: of what it is, to begin the sentence with.
        path: relative paths count from the first folder.
        folders: absolute.

    Raises:
        BundleError: it leads out of all folders.
    """
    try:
        real = (folders[0] / expanded(path)).resolve()
    except (OSError, RuntimeError, ValueError):  # links in a circle, a null character
        real = None
    if real is None or "://" in str(path) or not any(real.is_relative_to(folder.resolve()) for folder in folders):
        raise BundleError(
            f"{name} {str(path)!r} is outside the folder of studies; take one inside, or let the server's operator "
            "allow its folder with --also."
        )
    return real


def check_texts(request: Any, folders: Sequence[Path], name: str = "The value") -> None:
    """Refuse a request with a text that reads as a path and leads out of the folders.

    Args:
        request: texts, numbers, and lists and mappings of them.
        folders: as in :func:`confined_path`.
        name: of what the request is a part of.

    Raises:
        BundleError: there is one, which is named.
    """
    if isinstance(request, Mapping):
        for key, value in request.items():
            check_texts(value, folders, str(key))
    elif isinstance(request, (list, tuple)):
        for value in request:
            check_texts(value, folders, name)
    elif isinstance(request, str) and _reads_as_path(request):
        confined_path(name, request, folders)


def _reads_as_path(text: str) -> bool:
    return any(part in text for part in ("/", "\\", "\0")) or text.startswith("~") or text == ".."
