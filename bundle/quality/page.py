"""The quality sheet: one HTML page that holds its style and its pictures, and a CSV file with the numbers beside it.

Words and style are in ``page.html.j2``, which escapes all that it is given.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from jinja2 import Environment, FileSystemLoader, StrictUndefined

from ..data.mutual_information import rounded_down
from ..outputs import write_text
from .judgement import rules_for

__all__ = ["write_page"]

_MEASURES: tuple[tuple[str, tuple[str, ...], Callable[[float], str]], ...] = (  # heading, keys of a record, format
    ("likeness", ("likeness_before", "likeness_after"), rounded_down),
    ("over its mirror", ("unlike_mirror",), rounded_down),
    ("MI, nats", ("mutual_information_before", "mutual_information_after"), "{:.3f}".format),
    ("rotation, °", ("rotation_degrees",), "{:.1f}".format),
    ("shift, mm", ("shift_mm",), "{:.1f}".format),
    ("moved, mm", ("moved_mm",), "{:.1f}".format),
    ("below the others", ("deviation",), "{:.1f}".format),
)
_SUMMED = ("likeness", "rotation, °", "shift, mm")  # up in the page's head, as medians
_NUMBERS = [key for _, keys, _ in _MEASURES for key in keys]
_NAMED = ["subject", "session", "list", "t1", "t2"]


def write_page(
    judged: Sequence[Mapping[str, Any]], left_out: Sequence[str], source: str, path: Path, trust_headers: bool = False
) -> None:
    """Write the page, and beside it the CSV of the same name; each replaces an earlier one in one step.

    Args:
        judged: what :func:`bundle.quality.judge` returned, in that order.
        left_out: sentences on what made no pair.
        source: what the pairs come from, for the head of the page.
        path: of the page, ``.html``.
        trust_headers: as it was judged.

    Raises:
        BundleError: a file cannot be written.
    """
    failed = [pair for pair in judged if "failed" in pair]
    flagged = [pair for pair in judged if "failed" not in pair and pair["reasons"]]
    others = [pair for pair in judged if "failed" not in pair and not pair["reasons"]]
    loader = FileSystemLoader(Path(__file__).parent)
    jinja = Environment(loader=loader, autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True)
    jinja.filters["place"] = _place
    page = jinja.get_template("page.html.j2").render(
        source=source,
        facts=_facts(flagged, others, failed),
        rules=rules_for(len(flagged) + len(others), trust_headers),
        shown=_MEASURES,
        trust_headers=trust_headers,
        failed=failed,
        flagged=flagged,
        others=others,
        left_out=left_out,
        table=path.with_suffix(".csv").name,
    )
    write_text(path.with_suffix(".csv"), _table(judged).to_csv(index=False, float_format="%.5g", lineterminator="\n"))
    write_text(path, page)


def _facts(*groups: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    flagged, others, failed = groups
    facts: dict[str, Any] = {"pairs": sum(map(len, groups)), "flagged": len(flagged), "not examined": len(failed)}
    for title, keys, form in (measure for measure in _MEASURES if measure[0] in _SUMMED):
        if values := [pair[keys[-1]] for pair in (*flagged, *others)]:
            facts[f"median {title}"] = form(float(np.median(values)))
    return facts


def _table(judged: Sequence[Mapping[str, Any]]) -> pd.DataFrame:
    """One row a pair, in the order of the page; ``flags`` holds the reasons."""
    rows = [{**pair, "flags": "; ".join(pair["reasons"])} for pair in judged]
    for row in rows:
        row["suspicion"] = None if math.isinf(row["suspicion"]) else row["suspicion"]
        row["examined"] = "failed" not in row
    return pd.DataFrame(rows).reindex(columns=[*_NAMED, "suspicion", "flags", "examined", *_NUMBERS, "note"])


def _place(pair: Mapping[str, Any]) -> str:
    """``subject, session, list``, as far as they are known."""
    return ", ".join(filter(None, map(pair.get, ("subject", "session", "list"))))
