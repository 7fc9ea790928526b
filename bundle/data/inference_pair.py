"""What an inference reconstructs: two files, or folders with DICOM series, or a list of a datalist."""

from __future__ import annotations

import os
from typing import Any

from ..errors import BundleError
from ..paths import expanded, path_of
from ..settings import plain
from .datalist import check_header, read_datalist, select
from .dicom_folders import choose_series
from .dicom_series import series_flaw
from .layouts import stem
from .same_images import same_images
from .splits import Item

__all__ = ["inference_items"]


def inference_items(
    t1: str | None,
    t2: str | None,
    dataset_dir: str,
    split: str = "test",
    t1_series: int | str | None = None,
    t2_series: int | str | None = None,
) -> list[Item]:
    """What to reconstruct: the pair ``t1``, ``t2`` where given, named after its T2 file, else a list of a datalist.

    Args:
        t1: a NIfTI file, or a folder with a DICOM series.
        t2: likewise.
        dataset_dir: where the datalist lies, where neither is given.
        split: which of its lists.
        t1_series: of the series in the folder ``t1``, which one, by number or UID; None where it holds one.
        t2_series: likewise, of ``t2``.

    Raises:
        BundleError: only one of the two is given, they are one image, one is no volume by its header, a series is asked
            for and not there, or what :func:`read_datalist` and :func:`select` refuse.
    """
    files = {key: str(path_of(key, path)) for key, path in (("t1", plain(t1)), ("t2", plain(t2))) if path is not None}
    if not files:
        return select(read_datalist(dataset_dir), split)
    if len(files) == 1:
        given, missing = ("t1", "t2") if "t1" in files else ("t2", "t1")
        raise BundleError(f"Inference needs both images of a subject: --{given} is there, --{missing} FILE is missing.")
    wanted = {"t1": plain(t1_series), "t2": plain(t2_series)}
    found = {f"{key}_series": _series(key, path, wanted[key]) for key, path in files.items()}
    series = {key: value for key, value in found.items() if value is not None}
    same = same_images([path for key, path in files.items() if f"{key}_series" not in series])
    first, second = (series.get(f"{key}_series") or same[path] for key, path in files.items())
    if first == second:
        raise BundleError(f"T1 and T2 are the same image: {files['t1']} and {files['t2']}; give the T1 of the subject.")
    return [{"subject": stem(os.path.abspath(files["t2"])), **files, **series}]


def _series(role: str, path: str, choice: Any) -> str | None:
    """What names the series to be read, where the path is a folder; BundleError where it cannot be read."""
    if not os.path.isdir(expanded(path)):  # is_dir fails in a folder that may not be entered
        if choice is not None:
            raise BundleError(f"{role}_series chooses a DICOM series of a folder, but {role} is no folder: {path}.")
        check_header(path)
        return None
    series = choose_series(path, choice, role)
    if flaw := series_flaw(series, min_slices=1):
        raise BundleError(f"{series} {flaw}.")
    return series.key
