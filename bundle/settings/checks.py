"""Values of settings, checked against their declaration; a wrong one is one sentence."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from typing import Any

from pydantic import ValidationError

from ..errors import BundleError
from .declaration import Settings
from .kinds import Phrase, checked_device
from .words import number_in

__all__ = ["check_values", "checked_device", "phrase_of"]

_NOT_YET = ("$", "@", "%")  # expressions, references and macros of MONAI's configs


def check_values(values: Mapping[str, Any], expressions: bool = True) -> None:
    """Check the settings among ``values``, id -> value as configs and command line have it.

    Args:
        values: what is no setting is passed over.
        expressions: whether expressions and components may stand for values, as in configs; they are not checked, as
            what they give is known only when they are resolved.

    Raises:
        BundleError: the first wrong one, what it may be, and what it is.
    """
    named = {name: values[name] for name in Settings.model_fields if name in values}
    given = {name: value for name, value in named.items() if not expressions or _is_plain(value)}
    try:
        Settings.model_validate(given)
    except ValidationError as error:
        first = error.errors()[0]
        name = str(first["loc"][0])
        reason = first.get("ctx", {}).get("error")
        raise BundleError(str(reason) if isinstance(reason, BundleError) else _sentence(name, given[name])) from None


def phrase_of(name: str) -> str:
    """What a setting may be, in words."""
    return next(part.text for part in Settings.model_fields[name].metadata if isinstance(part, Phrase))


def _is_plain(value: Any) -> bool:
    component = isinstance(value, Mapping) and "_target_" in value
    return not component and not (isinstance(value, str) and value.startswith(_NOT_YET))


def _sentence(name: str, value: Any) -> str:
    hint = ""
    if isinstance(value, str):
        with suppress(ValueError):  # YAML takes 1e-3 for text
            hint = f", which is text here; write {number_in(value)!r}"
    return f"{name} is {phrase_of(name)}, not {'null' if value is None else repr(value)}{hint}."
