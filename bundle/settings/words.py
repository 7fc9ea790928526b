"""Values as the command line hands them over.

``python -m monai.bundle`` leaves YAML's ``true``, ``false`` and ``null`` as text.
"""

from __future__ import annotations

import argparse
import math
from collections.abc import Sequence
from numbers import Real

import yaml

from ..errors import BundleError

__all__ = ["checked_range", "flag", "number_in", "plain", "whole_number"]

_WORDS = {"true", "false", "null"}


def plain(value: object) -> object:
    """``"true"``, ``"false"`` and ``"null"`` as YAML means them; anything else as it is."""
    return yaml.safe_load(value) if isinstance(value, str) and value.lower() in _WORDS else value


def number_in(text: str) -> float:
    """The number that a text holds, an int where it is whole. ValueError where it is none."""
    number = float(text)
    return int(number) if number.is_integer() else number


def flag(name: str, value: object) -> bool:
    """A setting that is on or off.

    Raises:
        BundleError: neither true nor false.
    """
    value = plain(value)
    if not isinstance(value, (bool, int)) or value not in (0, 1):
        raise BundleError(f"{name} is true or false, not {value!r}.")
    return bool(value)


def checked_range(name: str, limits: Sequence[float]) -> tuple[float, float]:
    """The lowest and the highest value of a setting that is drawn anew for each scan.

    Raises:
        BundleError: not two numbers from 0 on, the lower one first.
    """
    pair = isinstance(limits, Sequence) and not isinstance(limits, str) and len(limits) == 2
    if not pair or not all(isinstance(limit, Real) for limit in limits) or not 0 <= limits[0] <= limits[1] < math.inf:
        raise BundleError(f"A varied {name} is drawn between two numbers, [lowest, highest]; not {limits!r}.")
    return float(limits[0]), float(limits[1])


def whole_number(text: str, least: int = 1) -> int:
    """A count among a command's options, for argparse's ``type``; ArgumentTypeError where it is none."""
    if text.isdecimal() and int(text) >= least:
        return int(text)
    raise argparse.ArgumentTypeError(f"{text} is no whole number from {least} on")
