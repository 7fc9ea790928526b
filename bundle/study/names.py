"""The names and labels in a study file: each stands for one thing, and none for what the study makes itself."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

from ..errors import BundleError

__all__ = ["AS_TRAINED", "COMPARISONS", "CONDITIONS", "COSTS", "check_known", "check_labels", "check_section"]

AS_TRAINED = "as_trained"  # the condition of every method: tested as it was trained
COMPARISONS, CONDITIONS, COSTS = "comparisons", "conditions", "costs"  # the tables that every study has
_OWN = {"conditions": [AS_TRAINED], "tables": [COMPARISONS, CONDITIONS, COSTS]}
_NEEDED = ("datasets", "scans", "methods")  # sections without which there is nothing to run


def check_section(section: str, entries: Mapping[Any, Any]) -> None:
    """Refuse an empty section that a study needs, names of what every study has, and names that lead out of its folder.

    Raises:
        BundleError: with the section in its text.
    """
    if section in _NEEDED and not entries:
        raise BundleError(f"{section} is empty; give it at least one entry")
    for name in entries:
        if isinstance(name, str) and not re.fullmatch(r"(?!\.)[\w.-]+", name):
            allowed = "letters, digits, '_', '-' and '.', and does not begin with a dot"
            raise BundleError(f"{section} has an entry {name!r}; a name, which files are called by, has only {allowed}")
        if name in _OWN.get(section, ()):
            raise BundleError(f"{section} has an entry {name!r}, as every study has of its own; name it otherwise")


def check_labels(section: str, labels: Sequence[str]) -> None:
    """Refuse a label of two entries, which a table could not tell apart.

    Raises:
        BundleError: with the section and the label in its text.
    """
    if twice := [label for label in labels if labels.count(label) > 1]:
        raise BundleError(f"several {section} are labelled {twice[0]!r}; give each its own label")


def check_known(place: str, names: Sequence, known: Sequence | Mapping) -> None:
    """Refuse a name of something that is not there.

    Raises:
        BundleError: with the place that names it, and what there is.
    """
    if missing := [name for name in names if name not in known]:
        raise BundleError(f"{place} names {missing[0]!r}, which is none of {', '.join(map(str, known))}")
