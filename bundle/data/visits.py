"""Visits of one person that no word tells: ``P1/1``, ``P1/2``, ``P2/1``, ..., or ``P1_a``, ``P1_b``, ``P2_a``, ...

Taken for people, one person could be trained on and tested.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import NamedTuple

from .layouts import is_visit
from .nifti_files import some

__all__ = ["Scan", "people_and_visits"]

_ENDING = re.compile(r"^(.+)[_\-. ]([^_\-. ]+)$")
_ALIKE = re.compile(  # names that are hardly those of people
    r"(?:scan|exam|mri?|time|wk|mo|[vtmwdy])?[-_ ]?\d+[a-z]?|[a-z]|(?:re)?(?:scan|test)|initial|final|first|second",
    re.IGNORECASE,
)


class Scan(NamedTuple):
    """A pair and whose it is; ``home`` is the folder that subjects stand in, relative to the root."""

    home: str
    subject: str
    session: str
    pair: tuple[Path, Path]


def people_and_visits(scans: Sequence[Scan], remarks: list[str]) -> list[Scan]:
    """The scans with visits as sessions: those of folders, and those that a name ends with, which no word tells.

    BIDS's ``sub-`` is always a subject. ``remarks`` receives a sentence on all that were taken for visits.
    """
    own = [scan for scan in scans if not scan.subject.startswith("sub-")]
    folders = _visits((scan.home, scan.subject) for scan in own if scan.home)
    endings = _visits(found.groups() for scan in own if (found := _ENDING.match(scan.subject)))
    taken = [_with_visit(scan, folders, endings) for scan in scans]
    visits = [new for old, new in zip(scans, taken) if old.subject != new.subject or is_visit(old.session)]
    if visits:
        names, people = (some(sorted({getattr(scan, name) for scan in visits})) for name in ("session", "subject"))
        remarks.append(
            "taken as visits of one person each, in one list, by their names or as there are fewer of them than people "
            f"({names}): {people}; name them in a CSV file if they are different people"
        )
    return taken


def _visits(names: Iterable[tuple[str, ...]]) -> set[tuple[str, ...]]:
    """Of (group, name) those whose group is a person: named like visits, and fewer than groups with several."""
    groups: dict[str, set[str]] = defaultdict(set)
    for group, name in names:
        if _ALIKE.fullmatch(name):
            groups[group].add(name)
    several = [own for own in groups.values() if len(own) > 1]
    repeated = set().union(*several)
    if len(several) <= len(repeated):
        return set()
    return {(group, name) for group, own in groups.items() if own <= repeated for name in own}


def _with_visit(scan: Scan, folders: set[tuple[str, ...]], endings: set[tuple[str, ...]]) -> Scan:
    ending = _ENDING.match(scan.subject)
    if (scan.home, scan.subject) in folders:
        above, _, person = scan.home.rpartition("/")
        scan, visit = scan._replace(home=above), scan.subject
    elif ending and ending.groups() in endings:
        person, visit = ending.groups()
    else:
        return scan
    return scan._replace(subject=person, session="_".join(filter(None, [visit, scan.session])))
