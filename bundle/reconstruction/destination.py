"""The file that a reconstruction is written to, and the report beside it: refused or whole."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any, TypeAlias

from monai.data import MetaTensor

from ..errors import BundleError
from ..evaluation.reports import write_report
from ..evaluation.volume_files import SUFFIX, write_volume
from ..outputs import check_writable, claim_outputs
from ..paths import path_of

__all__ = ["AnyPath", "check_destination", "path_from", "write_reconstruction"]

AnyPath: TypeAlias = str | os.PathLike[str]
_SUFFIXES = (SUFFIX, SUFFIX.removesuffix(".gz"))


def path_from(name: str, value: Any) -> Path:
    """An argument that is a path; BundleError where it is none."""
    if not isinstance(value, (str, os.PathLike)) or isinstance(os.fspath(value), bytes) or not str(value):
        raise BundleError(f"{name} is a path, not {value!r}.")
    return path_of(name, Path(value))


def check_destination(output: AnyPath, overwrite: bool, inputs: Mapping[str, Path]) -> Path:
    """Refuse to go on where the result could not be written, or would replace what it should not.

    Args:
        output: file to write.
        overwrite: whether it may be replaced, and the report beside it.
        inputs: files that never are.

    Raises:
        BundleError: it is no name of a NIfTI file, exists, is an input, or its folder cannot be written.
    """
    path = path_from("output", output)
    example = f"{inputs['t2'].name.partition('.')[0]}_recon{SUFFIX}"
    if os.path.isdir(path):
        raise BundleError(f"The output {path} is a folder; name a file in it, as {path / example}.")
    if not path.name.lower().endswith(_SUFFIXES):
        raise BundleError(f"The output is a NIfTI file, named .nii.gz or .nii as {example}, not {path}.")
    check_writable(path.parent, "The output's folder", "another output")
    names = [path.name, _report_path(path).name]
    claim_outputs(path.parent, names, overwrite=True)  # whether they are too long
    for name, file in inputs.items():
        if path.exists() and file.exists() and path.samefile(file):
            raise BundleError(f"The output {path} is the file that is given as {name}; name another.")
    existing = [str(path.parent / name) for name in names if (path.parent / name).exists()]
    if existing and not overwrite:
        raise BundleError(
            f"There is {' and '.join(existing)} already; name another output, or allow replacing with overwrite "
            "(--overwrite on the command line)."
        )
    return path


def write_reconstruction(path: Path, volume: MetaTensor, report: Mapping[str, Any]) -> dict[str, Any]:
    """Write the volume, and its report beside it; returns the report, which names the file."""
    report = {**report, "reconstruction": path.name}
    write_volume(path, volume)
    write_report(_report_path(path), report)
    return report


def _report_path(path: Path) -> Path:
    stem = next(path.name[: -len(suffix)] for suffix in _SUFFIXES if path.name.lower().endswith(suffix))
    return path.with_name(f"{stem}.json")
