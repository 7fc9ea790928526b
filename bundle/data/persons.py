"""One person, one name: pairs that would put a person on two sides of a split are left out, each with its reason."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable
from pathlib import Path

from .datalist import folded_name
from .found import Found
from .same_images import same_images
from .splits import Item

__all__ = ["one_name_a_person"]


def one_name_a_person(found: Found) -> Found:
    """The pairs without those whose names cannot be told apart, and without images that came before.

    Names differ where they do as parts of file names, whose case some file systems do not heed. Images are compared by
    content (:mod:`bundle.data.same_images`).
    """
    left_out = list(found.left_out)
    items = _without_clashes(found.items, lambda item: item["subject"], left_out)
    items = _without_clashes(items, _name, left_out)
    items = _without_copies(items, left_out)
    present = {item["subject"] for item in items}
    named = {split: names & present for split, names in found.named.items()}
    return found._replace(items=items, left_out=left_out, named=named)


def _name(item: Item) -> str:
    return f"{item['subject']} {item.get('session', '')}".strip()


def _without_clashes(items: list[Item], name_of: Callable[[Item], str], left_out: list[str]) -> list[Item]:
    """The items without those of which two have different names but one file name."""
    names: dict[str, set[str]] = defaultdict(set)
    for item in items:
        names[_folded(name_of(item))].add(name_of(item))
    for folded, group in names.items():
        if len(group) > 1:
            left_out.append(
                f"{' and '.join(repr(name) for name in sorted(group))}: as names of files they are all {folded!r}; "
                "rename all but one, or give them other names in a CSV file"
            )
    return [item for item in items if len(names[_folded(name_of(item))]) == 1]


def _folded(name: str) -> str:
    return folded_name({"subject": name})


def _without_copies(items: list[Item], left_out: list[str]) -> list[Item]:
    """The items whose images are not those of an earlier one, nor twice the same."""
    same = same_images([item[key] for item in items for key in ("t1", "t2")])
    owner: dict[str, tuple[Item, str]] = {}  # image -> who has it, as which contrast
    kept = []
    for item in items:
        if reason := _copy(item, same, owner):
            left_out.append(f"{_name(item)}: {reason}")
            continue
        kept.append(item)
        for key in ("t1", "t2"):
            owner.setdefault(same[item[key]], (item, key))
    return kept


def _copy(item: Item, same: dict[str, str], owner: dict[str, tuple[Item, str]]) -> str:
    """Why an item holds nothing new; empty where it does. One T1 may guide several scans of one subject."""
    if same[item["t1"]] == same[item["t2"]]:
        return f"T1 and T2 are the same image ({Path(item['t1']).name}, {Path(item['t2']).name})"
    for key in ("t2", "t1"):
        other, as_what = owner.get(same[item[key]], (item, key))
        if other is not item and (other["subject"] != item["subject"] or "t2" in (key, as_what)):
            files = f"{Path(item[key]).name} and {other[as_what]}"
            return f"its {key.upper()} is the same image as the {as_what.upper()} of {_name(other)} ({files})"
    return ""
