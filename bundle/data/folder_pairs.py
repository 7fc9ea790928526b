"""Find the T1/T2 pairs of a folder in one of the layouts of :mod:`bundle.data.layouts`.

Of several images of one subject and session :mod:`bundle.data.candidates` takes the best pair. A name that stands in
two folders of subjects is one person, whose scans are sessions named by the folder: taken for two people, one person
could be trained on and tested.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from pathlib import Path

from ..errors import BundleError
from ..paths import expanded
from .candidates import choose_pair
from .found import Found
from .headers import header_flaw
from .layouts import NamedImage, identify, stem
from .nifti_files import nifti_files, some
from .persons import one_name_a_person
from .visits import Scan, people_and_visits

__all__ = ["find_pairs"]


def find_pairs(folder: str | Path) -> Found:
    """Find the T1/T2 pairs below a folder, by the names of files and folders and by their headers.

    Raises:
        BundleError: the folder does not exist, or holds no pair.
    """
    root = expanded(folder).resolve()
    if not root.is_dir():
        raise BundleError(f"{root} is not a folder; pass the folder with the T1 and T2 images, or a .csv file.")
    found = Found.empty()
    groups: dict[tuple[str, str, str], list[NamedImage]] = defaultdict(list)
    for image in _images(root, found.left_out):
        groups[image.key].append(image)
    scans: list[Scan] = []
    for (home, subject, session), candidates in sorted(groups.items()):
        pair, remarks = choose_pair(candidates, root)
        place = f"{home}/{subject} {session}".strip("/ ")
        found.left_out.extend(f"{place}: {remark}" for remark in remarks)
        if pair:
            scans.append(Scan(home, subject, session, pair))
    scans = people_and_visits(scans, found.remarks)
    homes = _homes(scans, found.remarks)
    for home, subject, session, pair in scans:
        parts = [home.replace("/", "-")] if len(homes[subject]) > 1 else []
        found.add(subject, "_".join(filter(None, [*parts, session])), *pair)
    return one_name_a_person(found).at_least_one(root)


def _homes(scans: list[Scan], remarks: list[str]) -> dict[str, set[str]]:
    """The folders that each subject stands in; ``remarks`` receives a sentence on those that stand in several."""
    homes: dict[str, set[str]] = defaultdict(set)
    for home, subject, *_ in scans:
        homes[subject].add(home)
    shared = sorted(subject for subject, places in homes.items() if len(places) > 1)
    if shared:
        places = sorted({home or "." for subject in shared for home in homes[subject]})
        remarks.append(
            f"taken as one person each, in one list, as the name stands in several folders ({some(places)}): "
            f"{some(shared)}; name them in a CSV file if they are different people"
        )
    return homes


def _images(root: Path, left_out: list[str]) -> list[NamedImage]:
    """The T1 and T2 volumes below root; ``left_out`` receives why other files are none."""
    images = []
    others: dict[str, list[Path]] = defaultdict(list)
    for path in nifti_files(root, left_out):
        image = identify(path, root)
        if isinstance(image, str):
            others[image].append(path)
        elif flaw := header_flaw(path):
            left_out.append(f"{path.relative_to(root)} {flaw}")
        else:
            images.append(image)
    for reason, paths in others.items():
        ends = Counter(stem(path).replace(".", "_").rsplit("_", 1)[-1].rsplit("-", 1)[-1] for path in paths)
        kinds = some([f"{end} {count}" for end, count in ends.most_common()], 12)
        left_out.append(f"{len(paths)} other NIfTI files, such as {paths[0].relative_to(root)}: {reason} ({kinds})")
    return images
