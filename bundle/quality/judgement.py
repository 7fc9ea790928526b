"""Which pairs are suspect, and how much: the rule, which the page prints from here.

A measure's suspicion is its limit over its value, or its value over its limit where less is better, so that 1 stands at
the limit; a pair's is that of its worst measure. Pairs of 1 and more are flagged. docs/quality.md has how often that
errs.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from ..data.alignment import LEAST_LIKENESS

__all__ = ["FEWEST", "RULES", "Rule", "judge", "rules_for"]

FEWEST = 10  # pairs that a cohort is made of
_LEAST_SPREAD = 0.05  # of the logarithm of the likeness, so that pairs as like as eggs make no outlier of the next


class Rule(NamedTuple):
    """What is flagged.

    Attributes:
        key: of the measure, in what :func:`bundle.quality.examine` returns.
        limit: for the measure.
        least: whether the measure must reach it, or must not pass it.
        name, text: of the measure, and what it is, for the page.
        reason: what is to be thought of a pair beyond the limit.
    """

    key: str
    limit: float
    least: bool
    name: str
    text: str
    reason: str

    def suspicion(self, record: Mapping[str, Any]) -> float:
        """1 at the limit, more beyond it."""
        value = max(float(record[self.key]), 1e-6)
        return self.limit / value if self.least else value / self.limit


RULES = (
    Rule(
        "likeness",
        LEAST_LIKENESS,
        True,
        "likeness",
        "how many times as much T1 tells of T2 inside the head as when it is displaced by 4 mm",
        "T1 does not lie on T2: displaced, turned, or of somebody else",
    ),
    Rule(
        "unlike_mirror",
        1.3,
        True,
        "over its mirror",
        "how many times as much T1 tells of T2 inside the head as its mirror image, registered, does",
        "T1's mirror image fits better or nearly as well: T1 is mirrored left to right, turned, or of somebody else",
    ),
)
_COHORT = Rule(
    "deviation",
    4.0,
    False,
    "below the others",
    f"by how many robust standard deviations (1.4826 times the median absolute deviation) the "
    f"logarithm of the likeness lies below the median of all pairs, where there are at least {FEWEST}",
    "T1 lies on T2 much worse than in the other pairs",
)
_DISPLACED = Rule(
    "moved_mm",
    2.0,
    False,
    "moved, mm",
    "by how many mm, as a mean over the head, registration would still move T1",
    "T1 lies elsewhere than registration puts it",
)


def rules_for(count: int, trust_headers: bool) -> list[Rule]:
    """The rules that hold for so many pairs; ``trust_headers``: T1 is judged where the headers put it."""
    return [*RULES, *([_COHORT] if count >= FEWEST else []), *([_DISPLACED] if trust_headers else [])]


def judge(records: Sequence[Mapping[str, Any]], trust_headers: bool = False) -> list[dict[str, Any]]:
    """The records with ``likeness``, ``deviation``, ``suspicion`` and ``reasons``; those that failed come first.

    The others follow, the most suspect first.

    Args:
        records: what :func:`bundle.quality.examine` returned.
        trust_headers: judge T1 where the headers put it, not where registration does.
    """
    likeness = f"likeness_{'before' if trust_headers else 'after'}"
    examined = [{**record, "likeness": record[likeness]} for record in records if "failed" not in record]
    rules = rules_for(len(examined), trust_headers)
    failed = [
        {**record, "suspicion": float("inf"), "reasons": [record["failed"]]} for record in records if "failed" in record
    ]
    judged = []
    for record, deviation in zip(examined, _deviations(examined)):
        known = {**record, "deviation": deviation}
        suspicions = {rule: rule.suspicion(known) for rule in rules}
        reasons = [rule.reason for rule, suspicion in suspicions.items() if suspicion >= 1]
        judged.append({**known, "suspicion": max(suspicions.values()), "reasons": reasons})
    return failed + sorted(judged, key=lambda record: (-record["suspicion"], record["name"]))


def _deviations(records: Sequence[Mapping[str, Any]]) -> list[float]:
    """By how many robust standard deviations each pair's likeness lies below the median; 0 above it."""
    if not records:
        return []
    logarithm = np.log([max(record["likeness"], 1e-6) for record in records])
    below = np.median(logarithm) - logarithm
    spread = max(1.4826 * float(np.median(np.abs(below))), _LEAST_SPREAD)
    return np.maximum(below / spread, 0).tolist()
