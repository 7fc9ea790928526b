"""Find the T1/T2 pairs of a folder in one of the layouts of :mod:`bundle.data.layouts`.

Of several images of one subject and session (BIDS) the pair with equal entities, no contrast agent (``ce-``), fewest
entities and lowest runs is taken; where two pairs are equally good the session is left out, with that reason. Where one
subject name stands in two datasets, the dataset's folder is put before it.
"""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from itertools import product
from pathlib import Path
from typing import NamedTuple

from ..errors import BundleError
from .headers import header_flaw
from .layouts import NamedImage, identify, nifti_files
from .splits import Item

__all__ = ["Found", "find_pairs"]


class Found(NamedTuple):
    """Pairs with absolute paths, sentences on what was left out, and the lists that the source itself names."""

    items: list[Item]
    left_out: list[str]
    named: dict[str, set[str]]

    def add(self, subject: str, session: str, t1: Path, t2: Path) -> None:
        """One more pair; ``session`` may be empty."""
        self.items.append(
            {"subject": subject, **({"session": session} if session else {}), "t1": str(t1), "t2": str(t2)}
        )

    def at_least_one(self, source: Path) -> Found:
        """The same; BundleError where no pair was found."""
        if self.items:
            return self
        reasons = "; ".join(self.left_out[:3]) or "there is no .nii or .nii.gz file in it"
        raise BundleError(f"{source} holds no T1/T2 pair such as X-T1.nii.gz beside X-T2.nii.gz: {reasons}.")


def find_pairs(folder: str | Path) -> Found:
    """Find the T1/T2 pairs below a folder, by the names of files and folders and by their headers.

    Raises:
        BundleError: the folder does not exist, or holds no pair.
    """
    root = Path(folder).expanduser().resolve()
    if not root.is_dir():
        raise BundleError(f"{root} is not a folder; pass the folder with the T1 and T2 images, or a .csv file.")
    images, left_out = _images(root)
    groups: dict[tuple[str, str, str], list[NamedImage]] = defaultdict(list)
    for image in images:
        groups[image.key].append(image)
    subjects = Counter(subject for _, subject in {key[:2] for key in groups})
    found = Found([], left_out, {})
    for (dataset, subject, session), candidates in sorted(groups.items()):
        name = f"{Path(dataset).name}_{subject}" if subjects[subject] > 1 else subject
        pair, remarks = _choose(candidates, root)
        found.left_out.extend(f"{name}{f' {session}' if session else ''}: {remark}" for remark in remarks)
        if pair:
            found.add(name, session, *pair)
    return found.at_least_one(root)


def _images(root: Path) -> tuple[list[NamedImage], list[str]]:
    """The T1 and T2 volumes below root, and why the other files are none."""
    images, left_out, others = [], [], []
    for path in nifti_files(root):
        image = identify(path)
        if image is None:
            others.append(path.relative_to(root))
        elif flaw := header_flaw(path):
            left_out.append(f"{path.relative_to(root)} {flaw}")
        else:
            images.append(image)
    if others:
        left_out.append(f"{len(others)} other NIfTI files, such as {others[0]}: neither T1 nor T2 by name")
    return images, left_out


def _choose(images: list[NamedImage], root: Path) -> tuple[tuple[Path, Path] | None, list[str]]:
    """The one best (T1, T2) of a subject's session, or None, and remarks on the images that are not used."""
    by_contrast = {name: [image for image in images if image.contrast == name] for name in ("T1", "T2")}
    ranked = sorted(product(*by_contrast.values()), key=_rank)
    if not ranked:
        present, absent = ("T1", "T2") if by_contrast["T1"] else ("T2", "T1")
        return None, [f"{present} without {absent} ({images[0].path.relative_to(root)})"]
    best = ranked[0]
    if len(ranked) > 1 and _rank(ranked[1]) == _rank(best):
        names = ", ".join(str(image.path.relative_to(root)) for image in images)
        return None, [f"several candidates, none better than the others ({names}); name the pair in a CSV file"]
    unused = [
        f"{image.path.relative_to(root)} not used, {chosen.path.name} preferred"
        for chosen in best
        for image in by_contrast[chosen.contrast]
        if image is not chosen
    ]
    return (best[0].path, best[1].path), unused


def _rank(pair: tuple[NamedImage, ...]) -> tuple[int, ...]:
    """Smaller is better: no contrast agent, equal entities, few of them, low runs."""
    entities = [{key: value for key, value in image.entities.items() if key != "run"} for image in pair]
    runs = [int(re.sub(r"\D", "", image.entities.get("run", "")) or 0) for image in pair]
    agents = sum("ce" in names for names in entities)
    return agents, int(entities[0] != entities[1]), sum(map(len, entities)), sum(runs)
