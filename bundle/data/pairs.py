"""Find the T1/T2 pairs of a folder or a CSV file, split them by subject, and write ``datalist.json``.

    python -m bundle pairs DIR --output DIR/datalist.json

DIR is a folder in one of the layouts of :mod:`bundle.data.layouts` (IXI, BIDS, one folder a subject, plain), or a CSV
with the columns ``subject``, ``t1``, ``t2``, optional ``session`` and ``split``, its paths relative to the CSV.

Of several images of one subject and session (BIDS) the pair with equal entities, no contrast agent (``ce-``), fewest
entities and lowest runs is taken; if two pairs are equally good the session is left out, and the summary says so.
Where one subject name stands in two datasets, the dataset's folder is put before it.
"""

from __future__ import annotations

import argparse
import csv
import os
import re
import sys
from collections import Counter, defaultdict
from collections.abc import Sequence
from itertools import product
from pathlib import Path
from typing import NamedTuple

from ..errors import BundleError
from .datalist import DATALIST_NAME, write_datalist
from .layouts import NamedImage, header_flaw, identify, nifti_files
from .splits import SPLITS, split_by_subject

__all__ = ["Found", "find_pairs", "read_csv", "main"]


class Found(NamedTuple):
    """Pairs with absolute paths, sentences on what was left out, and the lists that the source itself names."""

    items: list[dict[str, str]]
    left_out: list[str]
    named: dict[str, set[str]]


def find_pairs(folder: str | Path) -> Found:
    """Find the T1/T2 pairs below a folder, by the names of files and folders and by their headers.

    Raises:
        BundleError: the folder does not exist, or holds no pair.
    """
    root = Path(folder).expanduser().resolve()
    if not root.is_dir():
        raise BundleError(f"{root} is not a folder; pass the folder with the T1 and T2 images, or a .csv file.")
    images, left_out, others = [], [], []
    for path in nifti_files(root):
        image = identify(path)
        if image is None:
            others.append(path)
        elif flaw := header_flaw(path):
            left_out.append(f"{path.relative_to(root)}: {flaw}")
        else:
            images.append(image)
    groups: dict[tuple[str, str, str], list[NamedImage]] = defaultdict(list)
    for image in images:
        groups[image.key].append(image)
    subjects = Counter(subject for _, subject in {key[:2] for key in groups})
    items = []
    for (dataset, subject, session), candidates in sorted(groups.items()):
        name = f"{Path(dataset).name}_{subject}" if subjects[subject] > 1 else subject
        pair, remarks = _choose(candidates, root)
        left_out += [f"{name}{f' {session}' if session else ''}: {remark}" for remark in remarks]
        if pair:
            items.append(_item(name, session, *pair))
    if others:
        left_out.append(
            f"{len(others)} other NIfTI files, such as {others[0].relative_to(root)}: neither T1 nor T2 by name"
        )
    return _at_least_one(Found(items, left_out, {}), root)


def read_csv(path: str | Path) -> Found:
    """Read the pairs of a CSV file (comma, semicolon or tab) with the columns subject, t1, t2, [session], [split].

    Raises:
        BundleError: the file cannot be read, lacks a column, names an unknown split, or holds no pair.
    """
    path = Path(path).expanduser().resolve()
    try:
        lines = path.read_text(encoding="utf-8-sig").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise BundleError(f"{path} cannot be read as a CSV file: {error}.") from error
    rows = csv.DictReader(lines, delimiter=max(",;\t", key=(lines or [""])[0].count))
    rows.fieldnames = [name.strip().lower() for name in rows.fieldnames or []]
    if missing := {"subject", "t1", "t2"} - set(rows.fieldnames):
        raise BundleError(
            f"{path} lacks the columns {', '.join(sorted(missing))}; its first line must name subject, "
            f"t1, t2 and, if wanted, session and split."
        )
    found, seen = Found([], [], {}), set()
    for row in rows:
        cell = {name: (row.get(name) or "").strip() for name in ("subject", "t1", "t2", "session", "split")}
        where, key = f"line {rows.line_num}", (cell["subject"], cell["session"])
        images = [Path(os.path.normpath(path.parent / cell[name])) for name in ("t1", "t2")]
        flaws = [f"{image}: {flaw}" for image in images if (flaw := header_flaw(image))]
        if not all((cell["subject"], cell["t1"], cell["t2"])):
            flaws = ["subject, t1 or t2 is empty"]
        elif key in seen:
            flaws = [f"{' '.join(key).strip()} stands in an earlier line; give each scan of a subject its own session"]
        if cell["split"] not in ("", *SPLITS):
            raise BundleError(
                f"{path}, {where}: the split must be {', '.join(SPLITS)} or empty, not {cell['split']!r}."
            )
        found.left_out.extend(f"{where}: {flaw}" for flaw in flaws)
        if not flaws:
            seen.add(key)
            found.items.append(_item(*key, *images))
            if cell["split"]:
                found.named.setdefault(cell["split"], set()).add(cell["subject"])
    if found.named:
        # a table that names sides names them all: a row without one is not drawn into a list behind its author's back
        found.named.update({split: set() for split in SPLITS if split not in found.named})
    return _at_least_one(found, path)


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


def _item(subject: str, session: str, t1: Path, t2: Path) -> dict[str, str]:
    return {"subject": subject, **({"session": session} if session else {}), "t1": str(t1), "t2": str(t2)}


def _at_least_one(found: Found, source: Path) -> Found:
    if found.items:
        return found
    reasons = "; ".join(found.left_out[:3]) or "there is no .nii or .nii.gz file in it"
    raise BundleError(f"{source} holds no T1/T2 pair such as X-T1.nii.gz beside X-T2.nii.gz: {reasons}.")


def main(arguments: Sequence[str] | None = None) -> int:
    """The command line; returns the exit status, 1 after a mistake, which is printed as one sentence."""
    options = _parser().parse_args(arguments)
    try:
        source = options.csv or options.source
        if source is None or (options.csv and options.source):
            raise BundleError("Name one source: the folder with the images, or a .csv file; see --help.")
        is_csv = options.csv is not None or source.suffix.lower() == ".csv"
        found = read_csv(source) if is_csv else find_pairs(source)
        sizes = {split: getattr(options, split) for split in SPLITS}
        names = {split: getattr(options, f"{split}_subjects") for split in SPLITS}
        named = {split: value for split, value in names.items() if value is not None} or found.named
        datalist = split_by_subject(found.items, sizes, named, options.seed)
        output = options.output or (source.parent if is_csv else source)
        output = output / DATALIST_NAME if output.is_dir() else output
        write_datalist(datalist, output, options.overwrite)
    except BundleError as error:
        print(f"Error: {error}", file=sys.stderr)
        return 1
    print(_summary(found, datalist, output))
    return 0


def _summary(found: Found, datalist: dict[str, list[dict[str, str]]], output: Path) -> str:
    subjects = {split: sorted({item["subject"] for item in items}) for split, items in datalist.items()}
    lines = [f"{output}: {sum(map(len, datalist.values()))} pairs of {sum(map(len, subjects.values()))} subjects"]
    for split, names in subjects.items():
        shown = ", ".join(names[:6]) + (", ..." if len(names) > 6 else "")
        lines.append(f"  {split:<11}{len(datalist[split]):>4} pairs of {len(names):>3} subjects  {shown}".rstrip())
    placed = {name for names in subjects.values() for name in names}
    unplaced = sorted({item["subject"] for item in found.items} - placed)
    left_out = found.left_out + [f"{name}: in no list of the split asked for" for name in unplaced]
    return "\n".join(lines + ["Left out:"] * bool(left_out) + [f"  {reason}" for reason in left_out])


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m bundle pairs",
        formatter_class=argparse.RawDescriptionHelpFormatter,
        description=f"Find T1/T2 pairs, split them by subject, and write {DATALIST_NAME}.",
        epilog="layouts of DIR:\n"
        "  IXI    IXI002-Guys-0828-T1.nii.gz and -T2.nii.gz, in one folder or in IXI-T1/ and IXI-T2/\n"
        "  BIDS   sub-01/[ses-1/]anat/sub-01[_ses-1][_run-1]_T1w.nii.gz and _T2w.nii.gz\n"
        "  folder [dataset/]subject/[ses-1/]T1w.nii.gz and T2w.nii.gz\n"
        "  plain  name_T1.nii.gz and name_T2.nii.gz, or T1/name.nii.gz and T2/name.nii.gz\n"
        "  CSV    columns subject,t1,t2[,session][,split]; paths relative to the CSV\n\n"
        "examples:\n"
        "  python -m bundle pairs ixi --training 369 --validation 93 --test 115\n"
        "  python -m bundle pairs ms --training-subjects patient01,patient12 --validation-subjects patient03",
    )
    parser.add_argument("source", nargs="?", type=Path, metavar="DIR", help="folder with the images, or a .csv file")
    parser.add_argument("--csv", type=Path, metavar="FILE", help="a CSV file instead of DIR")
    parser.add_argument(
        "--output",
        type=Path,
        metavar="FILE",
        help=f"the datalist to write (default: {DATALIST_NAME} in DIR or beside the CSV); its folder "
        f"is then the dataset_dir, and paths are relative to it",
    )
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
    value = int(text) if re.fullmatch(r"\d+", text) else float(text)
    if isinstance(value, float) and not 0 <= value <= 1:
        raise argparse.ArgumentTypeError(f"{text} is neither a whole number nor a fraction between 0 and 1")
    return value


def _names(text: str) -> set[str]:
    return {name.strip() for name in text.split(",") if name.strip()}
