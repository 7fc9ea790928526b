"""Values from the command line: ``python -m monai.bundle`` leaves YAML's ``true``, ``false`` and ``null`` as text."""

from __future__ import annotations

import yaml

from .errors import BundleError

__all__ = ["flag", "plain"]

_WORDS = {"true", "false", "null"}


def plain(value: object) -> object:
    """``"true"``, ``"false"`` and ``"null"`` as YAML means them; anything else as it is."""
    return yaml.safe_load(value) if isinstance(value, str) and value.lower() in _WORDS else value


def flag(name: str, value: object) -> bool:
    """A setting that is on or off.

    Raises:
        BundleError: neither true nor false.
    """
    value = plain(value)
    if not isinstance(value, (bool, int)):
        raise BundleError(f"{name} is true or false, not {value!r}.")
    return bool(value)
