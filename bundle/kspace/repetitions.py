"""M4Raw's repetitions: files whose names end in contrast and number, ``..._T201.h5``, of one scan repeated.

The file's name without the number, ``..._T2.h5``, which is no file, names the mean of all.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from ..errors import BundleError
from .fastmri import NUMBERED, mean_of, read_fastmri
from .scan import RawScan, make_scan

__all__ = ["read_repetitions", "repetitions_of"]


def repetitions_of(path: Path) -> list[Path]:
    """The numbered files that a name without number stands for, or that belong to a numbered one; may be empty."""
    found = NUMBERED.match(path.stem)
    stem = found[1] if found else path.stem
    if not path.parent.is_dir():
        return []
    names = sorted(path.parent.iterdir())
    return [one for one in names if (own := NUMBERED.match(one.stem)) and own[1] == stem and one.suffix == path.suffix]


def read_repetitions(path: Path) -> RawScan:
    """The mean of the repetitions of a scan; each point of k-space is that of those that acquired it.

    Args:
        path: without the number.

    Raises:
        BundleError: they differ in shape, or what the reader refuses.
    """
    files = repetitions_of(path)
    scans = [read_fastmri(file) for file in files]
    first = scans[0]
    for scan in scans[1:]:
        if scan.kspace.shape != first.kspace.shape:
            raise BundleError(
                f"{first.path} and {scan.path} are repetitions of one scan by their names, but their k-spaces have the "
                f"shapes {tuple(first.kspace.shape)} and {tuple(scan.kspace.shape)}; name one of the files."
            )
    averaged = make_scan(
        path,
        first.kind,
        mean_of([scan.kspace.numpy() for scan in scans]),
        affine=first.affine,
        crop=first.crop,
        nominal=first.sampling.nominal,
        name=path.stem,
        contrast=first.contrast,
        remarks=(f"mean of {len(scans)} repetitions, {', '.join(file.name for file in files)}", *first.remarks),
    )
    return replace(averaged, scaling=first.scaling)
