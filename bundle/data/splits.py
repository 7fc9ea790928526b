"""Training, validation and test subjects, and the folds of a cross-validation.

All sessions of a subject are on one side. Subjects are ordered by a hash of seed and name: the split depends neither on
the file system nor on the platform, and hardly changes when one is added.
"""

from __future__ import annotations

import hashlib
from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence

from ..counted import counted
from ..errors import BundleError

__all__ = ["SPLITS", "Datalist", "Item", "cross_validation", "split_by_subject"]

SPLITS = ("training", "validation", "test")
_PAPER_COUNTS = {"training": 369, "validation": 93, "test": 115}  # of IXI's 577 subjects (section IV-A)

Item = dict[str, str]
Datalist = dict[str, list[Item]]


def split_by_subject(
    items: Sequence[Item],
    sizes: Mapping[str, int | float | None] | None = None,
    named: Mapping[str, Collection[str]] | None = None,
    seed: int = 0,
    groups: Mapping[str, str] | None = None,
) -> Datalist:
    """Divide pairs into training, validation and test, all sessions of a subject on one side.

    Args:
        items: pairs with ``subject``.
        sizes: list -> number of subjects (int) or fraction of the subjects (float); lists without a size share what
            is left in the paper's proportion 369 : 93 : 115.
        named: list -> its subjects. Such a list holds exactly these; the others are drawn into the lists not named.
        seed: another seed is another draw.
        groups: subject -> its group, such as a hospital, of which each drawn list gets its share, to a subject or two.

    Returns:
        list name -> items, sorted by subject and session; subjects that no list wanted are absent.

    Raises:
        BundleError: more subjects wanted than there are, or a named subject is unknown or named twice.
    """
    subjects = {item["subject"] for item in items}
    side = _named_sides(named or {}, subjects)
    drawn = _interleaved(_shuffled(subjects - side.keys(), seed), groups or {})
    free = [split for split in SPLITS if split not in (named or {})]
    for split, count in _counts(len(drawn), {split: (sizes or {}).get(split) for split in free}).items():
        side.update(dict.fromkeys(drawn[:count], split))
        drawn = drawn[count:]
    ordered = sorted(items, key=lambda item: (item["subject"], item.get("session", "")))
    return {split: [item for item in ordered if side.get(item["subject"]) == split] for split in SPLITS}


def cross_validation(datalist: Mapping[str, list[Item]], folds: int, fold: int) -> Datalist:
    """Deal all subjects of a datalist to ``folds`` groups: one group is tested, all the others are trained on.

    Nothing is left to validate on, so nothing may be chosen by the validation: its list holds the first volume that is
    trained on, and draws curves only. The deal follows from the subjects' names, which list one came from does not
    matter.

    Args:
        datalist: list name -> items.
        folds: number of groups, from 2 to the number of subjects (leave one out).
        fold: which group is tested, from 0.

    Raises:
        BundleError: folds or fold out of range.
    """
    items = [item for group in datalist.values() for item in group]
    subjects = _shuffled({item["subject"] for item in items}, seed=0)
    if not isinstance(folds, int) or not 2 <= folds <= len(subjects):
        raise BundleError(
            f"Cross-validation needs folds from 2 to the number of subjects, {len(subjects)}; not {folds!r}."
        )
    if not isinstance(fold, int) or not 0 <= fold < folds:
        raise BundleError(f"Of {folds} folds the first is 0 and the last {folds - 1}; there is no fold {fold!r}.")
    tested = set(subjects[fold::folds])
    ordered = sorted(items, key=lambda item: (item["subject"], item.get("session", "")))
    training = [item for item in ordered if item["subject"] not in tested]
    return {
        "training": training,
        "validation": training[:1],
        "test": [item for item in ordered if item["subject"] in tested],
    }


def _shuffled(subjects: Collection[str], seed: int) -> list[str]:
    """An order that follows from seed and names alone."""
    return sorted(subjects, key=lambda name: hashlib.sha256(f"{seed}:{name}".encode()).digest())


def _interleaved(subjects: Sequence[str], groups: Mapping[str, str]) -> list[str]:
    """An order of which every stretch has as much of each group as the whole has; without groups the same order."""
    members = defaultdict(list)
    for subject in subjects:
        members[groups.get(subject, "")].append(subject)
    place = {subject: (rank + 0.5) / len(group) for group in members.values() for rank, subject in enumerate(group)}
    return sorted(subjects, key=place.__getitem__)


def _named_sides(named: Mapping[str, Collection[str]], subjects: Collection[str]) -> dict[str, str]:
    side: dict[str, str] = {}
    for split, names in named.items():
        for name in names:
            if name not in subjects:
                raise BundleError(
                    f"The {split} subject {name!r} is not among the subjects with a pair: "
                    f"{', '.join(sorted(subjects))}."
                )
            if side.setdefault(name, split) != split:
                raise BundleError(f"Subject {name!r} is named for both {side[name]} and {split}; name it for one.")
    return side


def _counts(available: int, sizes: Mapping[str, int | float | None]) -> dict[str, int]:
    """How many subjects each list gets: largest remainders, and no wanted list empty while another has two."""
    wanted = {
        split: size if isinstance(size, int) else size * available for split, size in sizes.items() if size is not None
    }
    rest = available - sum(wanted.values())
    if rest < -1e-6 or min(wanted.values(), default=0) < 0:
        raise BundleError(
            f"The split asks for {', '.join(f'{name} {size}' for name, size in sizes.items() if size)}, "
            f"but there {'is' if available == 1 else 'are'} {counted(available, 'subject')} to divide; ask for fewer."
        )
    share = {split: _PAPER_COUNTS[split] for split, size in sizes.items() if size is None}
    wanted |= {split: max(rest, 0) * part / sum(share.values()) for split, part in share.items()}
    counts = {split: int(size) for split, size in wanted.items()}
    by_remainder = sorted(counts, key=lambda split: counts[split] - wanted[split])
    for split in by_remainder[: round(sum(wanted.values())) - sum(counts.values())]:
        counts[split] += 1
    for split in (split for split in counts if counts[split] == 0 and wanted[split] > 0):
        giver = max((other for other in counts if not isinstance(sizes[other], int)), key=counts.__getitem__)
        if counts[giver] > 1:
            counts[giver] -= 1
            counts[split] += 1
    if counts.get("test") == 1 and sizes["test"] is None and counts.get("validation") == 0 < wanted["validation"]:
        counts |= {"validation": 1, "test": 0}  # of two subjects: a training validates, and need not test
    return {split: counts[split] for split in SPLITS if split in counts}
