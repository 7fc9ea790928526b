"""Make a quality sheet: whether T1 lies on T2 in every pair, on one HTML page, with the most suspect pairs first.

    python -m bundle quality DIR --output quality.html

DIR is a folder with datalist.json, a datalist, or a folder or CSV file as for python -m bundle pairs. T1 is registered
as for a training; docs/quality.md has the rule by which pairs are flagged, and how often it errs. The numbers go to a
CSV file of the same name.
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence
from pathlib import Path

from ..console import end_bars
from ..counted import counted
from ..data.workers import cores
from ..errors import BundleError
from ..outputs import begin_run, check_writable, claim_outputs
from ..paths import expanded
from ..settings import whole_number
from .cohort import examine_all
from .judgement import judge
from .page import write_page
from .source import pairs_of

NAME = "quality.html"


def main(arguments: Sequence[str] | None = None) -> int:
    """The command line; returns the exit status, 1 after a mistake, which is printed as one sentence."""
    options = _parser().parse_args(arguments)
    begin_run()
    try:
        print(make_sheet(options))
    except BundleError as error:
        end_bars()
        print(f"Error: {error}", file=sys.stderr)
        return 1
    return 0


def make_sheet(options: argparse.Namespace) -> str:
    """Examine the pairs and write page and CSV; a few lines on what was found.

    Raises:
        BundleError: there is no pair, or the page is there already or cannot be written.
    """
    path = _output(options)
    items, left_out = pairs_of(options.source, options.split)
    records = examine_all(items, options.workers, options.cache)
    judged = judge(records, options.trust_headers)
    write_page(judged, left_out, options.source.resolve().name, path, options.trust_headers)
    flagged = [pair for pair in judged if pair["reasons"]]
    lines = [f"{path}: {counted(len(judged), 'pair')}, {len(flagged)} of them flagged or not examined"]
    lines += [f"  {pair['name']}: {'; '.join(pair['reasons'])}" for pair in flagged[:_MOST]]
    lines += [f"  and {len(flagged) - _MOST} more"] * (len(flagged) > _MOST)
    return "\n".join(lines + [f"Left out, with reasons on the page: {len(left_out)}"] * bool(left_out))


_MOST = 20  # pairs that are told of on the console


def _output(options: argparse.Namespace) -> Path:
    """The page's path; BundleError where it could not be written, before anything is computed."""
    source = options.source
    path = options.output or (source if os.path.isdir(source) else source.parent) / NAME
    if path.suffix.lower() not in (".html", ".htm"):
        raise BundleError(f"The quality sheet is an HTML page, named .html, not {path}.")
    check_writable(path.parent, "The page's folder", "another --output")
    table = path.with_suffix(".csv")
    if table.exists() and os.path.exists(source) and table.samefile(source):
        raise BundleError(
            f"{table} lists the pairs, and would be replaced by the sheet's numbers; name another --output."
        )
    existing = [str(file) for file in (path, table) if os.path.lexists(file)]
    if existing and not options.overwrite:
        raise BundleError(
            f"{' and '.join(existing)} {'are' if len(existing) > 1 else 'is'} there already; name another --output, or "
            "allow replacing with --overwrite."
        )
    claim_outputs(path.parent, [path.name, table.name], options.overwrite)
    if options.cache is not None:
        check_writable(options.cache, "The folder of examinations", "another --cache")
    return path


def _parser() -> argparse.ArgumentParser:
    plain = argparse.RawDescriptionHelpFormatter
    parser = argparse.ArgumentParser(prog="python -m bundle quality", description=__doc__, formatter_class=plain)
    parser.add_argument("source", type=expanded, metavar="DIR", help="folder of pairs, a datalist, or a .csv file")
    parser.add_argument(
        "-o", "--output", type=expanded, metavar="HTML", help=f"the page (default: {NAME} in DIR or beside the file)"
    )
    parser.add_argument("--split", metavar="LIST", help="one list of the datalist, as test (default: all)")
    parser.add_argument(
        "--workers", type=whole_number, default=cores(), metavar="N", help="pairs at a time (default: one a core)"
    )
    parser.add_argument(
        "--trust-headers", action="store_true", help="judge T1 where the headers put it, for pairs aligned beforehand"
    )
    parser.add_argument(
        "--cache",
        type=expanded,
        metavar="FOLDER",
        help="keep what is known of each pair here; a second run goes on from it",
    )
    parser.add_argument("--overwrite", action="store_true", help="replace an earlier page and its CSV")
    return parser
