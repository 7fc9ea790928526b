"""The command ``python -m bundle ixi``: IXI's archives to aligned pairs, split by subject and hospital.

    python -m bundle ixi IXI --download --output IXI_prepared

What was done before is not done again: archives, unpacked images and prepared subjects are taken where they are whole.
"""

from __future__ import annotations

import argparse
import logging
import os
import re
import sys
import time
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from shutil import rmtree
from typing import Any

from ..console import prepare_console, progress_bar
from ..counted import counted
from ..data.datalist import DATALIST_NAME, write_datalist
from ..data.folder_pairs import find_pairs
from ..data.found import Found
from ..data.matrix import check_image_size
from ..data.nifti_files import some
from ..data.splits import Datalist, Item, split_by_subject
from ..data.workers import cores, results
from ..errors import BundleError
from ..outputs import begin_run, check_writable
from ..paths import expanded
from ..settings import whole_number
from .archives import SOURCE, download_archives, unpack_archives
from .disk_space import check_room
from .report import SUBJECTS, left_out_rows, summary, write_subjects
from .subject import hospital_of, known_row, prepare_subject, prepared_files

_SUBJECT_SIZE = 16_000_000  # bytes that a subject of 256 x 256 x 100 takes; noise packs badly
_SCRATCH = re.compile(r"\.[0-9a-f]{12}")  # names that bundle.outputs gives
_UNTOUCHED = 60  # s, after which scratch is nobody's
_DEAD = "the process that prepared it was killed, perhaps for want of memory: run again with fewer --workers"
_logger = logging.getLogger(__name__)


def main(arguments: Sequence[str] | None = None) -> int:
    """The command line; returns the exit status, 1 after a mistake, which is printed as one sentence."""
    options = _parser().parse_args(arguments)
    logging.basicConfig(format="%(message)s")
    logging.getLogger("bundle.ixi").setLevel(logging.INFO)
    prepare_console()
    begin_run()
    try:
        print(_run(options))
    except BundleError as error:
        print(f"Error: {error}", file=sys.stderr)
        return 1
    return 0


def _run(options: argparse.Namespace) -> str:
    folder = Path(os.path.realpath(options.folder))
    output = options.output or folder.with_name(f"{folder.name}_prepared")
    output = Path(os.path.realpath(output))
    _check_places(folder, output)
    check_image_size(options.image_size)
    if options.source and not options.download:
        raise BundleError(f"--source {options.source} is where --download fetches from; add --download.")
    _tidy(folder)
    if options.download:
        download_archives(folder, options.source or SOURCE)
    unpack_archives(folder)
    found = _found(folder, options.download)
    items = [item for item in found.items if re.fullmatch(r"IXI\d+", item["subject"])]
    if not items:
        raise BundleError(f"{folder} holds pairs, but none that is named as IXI's are, as IXI002-Guys-0828-T1.nii.gz.")
    rows, others = left_out_rows(found.left_out, {item["subject"] for item in items})
    for sentence in others:
        _logger.info("Left out: %s", sentence)
    rows += _prepared(items, output, options)
    try:
        return _listed(items, rows, output, options)
    finally:
        write_subjects(rows, output / SUBJECTS)


def _listed(items: Sequence[Item], rows: Sequence[dict[str, Any]], output: Path, options: argparse.Namespace) -> str:
    """Write the lists of the prepared pairs, each with its share of every hospital; returns what a person is told."""
    whole = {row["subject"] for row in rows if row["state"] == "prepared"}
    if not whole:
        raise BundleError(f"None of {counted(len(rows), 'subject')} could be prepared; {output / SUBJECTS} says why.")
    kept = [item for item in items if item["subject"] in whole]
    made = [item | dict(zip(("t1", "t2"), map(str, prepared_files(item["t2"], output)))) for item in kept]
    groups = {item["subject"]: hospital_of(item["t2"]) for item in kept}
    datalist = split_by_subject(made, seed=options.seed, groups=groups)
    _write_lists(datalist, output / DATALIST_NAME, options.overwrite)
    return summary(rows, datalist, output / DATALIST_NAME)


def _check_places(folder: Path, output: Path) -> None:
    if output == folder or folder in output.parents:
        raise BundleError(f"{output} lies in {folder}, where IXI's own images are looked for; give another --output.")
    check_writable(output, "The output folder", "another --output")


def _found(folder: Path, downloaded: bool) -> Found:
    """The folder's pairs; where there is none, a person is told of ``--download``, too."""
    advice = "" if downloaded else " --download fetches IXI-T1.tar and IXI-T2.tar, as far as they are not there."
    if not folder.is_dir():
        raise BundleError(f"{folder} is no folder; DIR holds IXI-T1.tar and IXI-T2.tar, or their images.{advice}")
    try:
        return find_pairs(folder)
    except BundleError as error:
        raise BundleError(f"{error}{advice}") from error


def _prepared(items: Sequence[Item], output: Path, options: argparse.Namespace) -> list[dict[str, Any]]:
    """A row for each pair: of those that are there already, and of those that are prepared now."""
    calls = {
        item["subject"]: (item["subject"], item["t1"], item["t2"], str(output), options.image_size, options.slices)
        for item in items
    }
    rows = {name: row for name, call in calls.items() if (row := known_row(*call[1:]))}
    todo = {name: call for name, call in calls.items() if name not in rows}
    others = [folder for _, _, t2, *_ in todo.values() if (folder := prepared_files(t2, output)[0].parent).exists()]
    if others and not options.overwrite:
        names = some(folder.name for folder in others)
        raise BundleError(
            f"{output} holds subjects of other files or settings ({names}); give another --output, or --overwrite."
        )
    size = _SUBJECT_SIZE * (options.image_size / 256) ** 2 * options.slices / 100
    workers = min(options.workers, max(1, len(todo)))
    begun = f"Preparing {counted(len(todo), 'subject')} ({len(rows)} there already), {workers} at once"
    if todo:
        _logger.info(check_room(output, int(size * len(todo)), f"{begun}: it takes about"))
    _tidy(output)
    with progress_bar(total=len(calls), initial=len(rows), desc="Preparing", unit="subject") as bar:
        for name, row in results(prepare_subject, todo, workers):
            dead = {"subject": name, "hospital": hospital_of(todo[name][2]), "state": "failed", "reason": _DEAD}
            rows[name] = row or dead
            if rows[name]["state"] == "failed":
                _logger.warning("%s: %s", name, rows[name]["reason"])
            bar.update()
    return list(rows.values())


def _write_lists(datalist: Datalist, path: Path, overwrite: bool) -> None:
    """Write the datalist; one that is there and says the same stays, one that says something else is not replaced."""
    earlier = path.read_bytes() if path.is_file() else None
    draft = path.with_name(f".{DATALIST_NAME}")
    write_datalist(datalist, draft, overwrite=True)
    content = draft.read_bytes()
    draft.unlink()
    if earlier == content:
        return
    if earlier is not None and not overwrite:
        raise BundleError(
            f"{path} has other lists than these subjects and this seed give; all subjects are prepared, so run again "
            "with --overwrite to replace it, or keep it."
        )
    write_datalist(datalist, path, overwrite=True)


def _tidy(folder: Path) -> None:
    """Remove what a run that was killed has left half done."""
    for path in folder.iterdir() if folder.is_dir() else ():
        if _SCRATCH.fullmatch(path.name) and path.is_dir() and time.time() - path.stat().st_mtime > _UNTOUCHED:
            rmtree(path, ignore_errors=True)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m bundle ixi",
        formatter_class=argparse.RawDescriptionHelpFormatter,
        description="IXI to aligned T1/T2 pairs of 256 x 256 x 100 voxels, split 369 : 93 : 115 by hospital.",
        epilog="DIR holds IXI-T1.tar and IXI-T2.tar, or what is in them, in any folders; or give --download.",
    )
    parser.add_argument("folder", type=expanded, metavar="DIR", help="IXI's own files; only unpacked into, not changed")
    parser.add_argument("--output", type=expanded, metavar="OUT", help="pairs and lists (default: DIR_prepared)")
    parser.add_argument("--download", action="store_true", help="first fetch the two archives into DIR")
    parser.add_argument("--source", metavar="URL", help=f"folder of the archives (default: {SOURCE})")
    parser.add_argument(
        "--workers", type=whole_number, default=cores(), metavar="N", help="processes (default: all cores)"
    )
    parser.add_argument("--seed", type=int, default=0, help="another seed draws another split (default: 0)")
    parser.add_argument(
        "--slices", type=partial(whole_number, least=2), default=100, help="from the middle (default: 100)"
    )
    parser.add_argument("--image-size", type=int, default=256, help="matrix, a multiple of 16 (default: 256)")
    parser.add_argument("--overwrite", action="store_true", help="replace subjects and lists made otherwise")
    return parser
