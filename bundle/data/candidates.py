"""The one pair of several images of a subject and session: which T1 and which T2, and why not the others."""

from __future__ import annotations

import re
from itertools import product
from pathlib import Path

from .layouts import NamedImage

__all__ = ["choose_pair"]


def choose_pair(images: list[NamedImage], root: Path) -> tuple[tuple[Path, Path] | None, list[str]]:
    """The best (T1, T2), or None where there is none or two are equally good, and remarks on images that are not used.

    Better is, in this order: no processed copy, equal entities, few of them, low runs. T1 and T2 lie in one space
    (``space-``).
    """
    by_contrast = {name: [image for image in images if image.contrast == name] for name in ("T1", "T2")}
    names = ", ".join(str(image.path.relative_to(root)) for image in images)
    if not all(by_contrast.values()):
        present, absent = ("T1", "T2") if by_contrast["T1"] else ("T2", "T1")
        return None, [f"{present} without {absent} ({names})"]
    ranked = sorted(filter(_in_one_space, product(*by_contrast.values())), key=_rank)
    if not ranked:
        return None, [f"T1 and T2 are in different spaces ({names})"]
    best = ranked[0]
    if len(ranked) > 1 and _rank(ranked[1]) == _rank(best):
        none_better = f"several candidates, none better than the others ({names})"
        return None, [f"{none_better}; name the pair in a CSV file, or keep one of them"]
    unused = [
        f"{image.path.relative_to(root)} not used, {chosen.path.relative_to(root)} preferred"
        for chosen in best
        for image in by_contrast[chosen.contrast]
        if image is not chosen
    ]
    return (best[0].path, best[1].path), unused


def _in_one_space(pair: tuple[NamedImage, ...]) -> bool:
    return len({image.entities.get("space") for image in pair}) == 1


def _rank(pair: tuple[NamedImage, ...]) -> tuple[int, ...]:
    """Smaller is better."""
    entities = [{key: value for key, value in image.entities.items() if key != "run"} for image in pair]
    runs = [int(re.sub(r"[^0-9]", "", image.entities.get("run", "")) or 0) for image in pair]
    processed = sum(image.processed for image in pair)
    return processed, int(entities[0] != entities[1]), sum(map(len, entities)), sum(runs)
