"""The command ``python -m bundle pairs``: find T1/T2 pairs, split them by subject, and write ``datalist.json``.

    python -m bundle pairs DIR --output DIR/datalist.json

DIR is a folder (:mod:`bundle.data.folder_pairs`) or a CSV file (:mod:`bundle.data.csv_pairs`).
"""

from __future__ import annotations

import argparse
import os
import re
import sys
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

from ..counted import counted
from ..errors import BundleError
from ..outputs import check_writable
from ..paths import expanded
from .csv_pairs import read_csv
from .datalist import DATALIST_NAME, write_datalist
from .folder_pairs import find_pairs
from .found import Found
from .nifti_files import some
from .splits import SPLITS, Datalist, split_by_subject

__all__ = ["find_pairs", "main", "read_csv"]

_OUTPUT_HELP = f"""the datalist to write (default: {DATALIST_NAME} in DIR or beside the CSV); its folder is then the
dataset_dir, and paths are relative to it"""
_EPILOG = """layouts of DIR:
  IXI    IXI002-Guys-0828-T1.nii.gz and -T2.nii.gz, in one folder or in IXI-T1/ and IXI-T2/
  BIDS   sub-01/[ses-1/]anat/sub-01[_ses-1][_run-1]_T1w.nii.gz and _T2w.nii.gz
  folder [dataset/]subject/[ses-1/]T1w.nii.gz and T2w.nii.gz
  plain  name_T1.nii.gz and name_T2.nii.gz, or T1/name.nii.gz and T2/name.nii.gz
  CSV    columns subject,t1,t2[,session][,split]; paths relative to the CSV

examples:
  python -m bundle pairs ixi --training 369 --validation 93 --test 115
  python -m bundle pairs ms --training-subjects patient01,patient12 --validation-subjects patient03"""


def main(arguments: Sequence[str] | None = None) -> int:
    """The command line; returns the exit status, 1 after a mistake, which is printed as one sentence."""
    options = _parser().parse_args(arguments)
    try:
        source = options.csv or options.source
        if source is None or (options.csv and options.source):
            raise BundleError("Name one source: the folder with the images, or a .csv file; see --help.")
        is_csv = options.csv is not None or source.suffix.lower() == ".csv"
        output = options.output or (source.parent if is_csv else source)
        output = output / DATALIST_NAME if output.is_dir() else output
        if os.path.lexists(source):  # else the source is what is told of
            check_writable(output.parent, "The datalist's folder", "another --output")
        found = read_csv(source) if is_csv else find_pairs(source)
        datalist = _split(found, options)
        write_datalist(datalist, output, options.overwrite)
    except BundleError as error:
        print(f"Error: {error}", file=sys.stderr)
        return 1
    print(_summary(found, datalist, output))
    return 0


def _split(found: Found, options: argparse.Namespace) -> Datalist:
    """The lists that the options ask for; a refusal names what was left out, as that may be what is missing."""
    sizes = {split: getattr(options, split) for split in SPLITS}
    names = {split: getattr(options, f"{split}_subjects") for split in SPLITS}
    named = {split: value for split, value in names.items() if value is not None} or found.named
    try:
        return split_by_subject(found.items, sizes, named, options.seed)
    except BundleError as error:
        if not found.left_out:
            raise
        raise BundleError(f"{error} Left out were: {some(found.left_out, 8)}.") from error


def _summary(found: Found, datalist: Datalist, output: Path) -> str:
    subjects = {split: sorted({item["subject"] for item in items}) for split, items in datalist.items()}
    pairs, people = (sum(map(len, lists.values())) for lists in (datalist, subjects))
    lines = [f"{output}: {counted(pairs, 'pair')} of {counted(people, 'subject')}"]
    for split, names in subjects.items():
        shown = ", ".join(names[:6]) + (", ..." if len(names) > 6 else "")
        lines.append(f"  {split:<11}{len(datalist[split]):>4} pairs of {len(names):>3} subjects  {shown}".rstrip())
    placed = {name for names in subjects.values() for name in names}
    unplaced = sorted({item["subject"] for item in found.items} - placed)
    left_out = found.left_out + [f"{name}: in no list of the split asked for" for name in unplaced]
    for head, entries in (("Note:", found.remarks + _missing(subjects)), ("Left out:", left_out)):
        lines += [head] * bool(entries) + [f"  {entry}" for entry in entries]
    return "\n".join(lines)


def _missing(subjects: dict[str, list[str]]) -> list[str]:
    """What cannot be done with these lists."""
    empty = [split for split, names in subjects.items() if not names]
    if {"training", "validation"} & set(empty):
        found = sum(map(len, subjects.values()))
        return [
            f"nothing can be trained on these lists: training needs a subject in training and one in validation, and "
            f"{' and '.join(empty)} {'are' if len(empty) > 1 else 'is'} empty ({found} in all); they serve evaluating "
            "and inference"
        ]
    return ["test is empty: evaluate another list, as with --split validation, or add subjects"] if empty else []


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m bundle pairs",
        formatter_class=argparse.RawDescriptionHelpFormatter,
        description=f"Find T1/T2 pairs, split them by subject, and write {DATALIST_NAME}.",
        epilog=_EPILOG,
    )
    parser.add_argument("source", nargs="?", type=expanded, metavar="DIR", help="folder of images, or a .csv file")
    parser.add_argument("--csv", type=expanded, metavar="FILE", help="a CSV file instead of DIR")
    parser.add_argument("--output", type=expanded, metavar="FILE", help=_OUTPUT_HELP)
    parser.add_argument("--seed", type=int, default=0, help="another seed draws another split (default: 0)")
    parser.add_argument("--overwrite", action="store_true", help="replace an existing output")
    size = parser.add_argument_group(
        "size of the lists",
        "a whole number of subjects (369) or a fraction (0.64);\nlists without a size share the rest as 369:93:115",
    )
    name = parser.add_argument_group(
        "subjects by name",
        "a list with names holds exactly these;\nthe other subjects are drawn into the lists without names",
    )
    for split in SPLITS:
        size.add_argument(f"--{split}", type=_size, metavar="N")
        name.add_argument(f"--{split}-subjects", type=_names, metavar="A,B,...")
    return parser


def _size(text: str) -> int | float:
    """``369`` is a number of subjects, ``0.64`` a fraction; ``1.0`` is all, ``1`` is one subject."""
    with suppress(ValueError):
        value = int(text) if re.fullmatch(r"\d+", text) else float(text)
        if isinstance(value, int) or 0 <= value <= 1:
            return value
    raise argparse.ArgumentTypeError(f"{text} is neither a whole number nor a fraction between 0 and 1")


def _names(text: str) -> set[str]:
    return {name.strip() for name in text.split(",") if name.strip()}
