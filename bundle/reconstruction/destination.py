"""The file that a reconstruction is written to, and the report beside it: refused or whole."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any, TypeAlias

from monai.data import MetaTensor

from ..errors import BundleError
from ..evaluation.dicom_files import check_series_output, write_series
from ..evaluation.reports import tell_of_earlier, write_report
from ..evaluation.volume_files import SUFFIX, UNCERTAINTY, write_volume
from ..outputs import check_writable, claim_outputs
from ..paths import path_of
from ..settings import flag
from ..written import holds, note_free

__all__ = ["AnyPath", "check_destination", "check_series_destination", "path_from", "write_reconstruction"]

AnyPath: TypeAlias = str | os.PathLike[str]
_SUFFIXES = (SUFFIX, SUFFIX.removesuffix(".gz"))


def path_from(name: str, value: Any) -> Path:
    """An argument that is a path; BundleError where it is none."""
    if not isinstance(value, (str, os.PathLike)) or isinstance(os.fspath(value), bytes) or not str(value):
        shape = getattr(value, "shape", None)
        came = repr(value) if shape is None else f"a {type(value).__name__} of shape {tuple(shape)}; write it to a file"
        raise BundleError(f"{name} is a path, not {came}.")
    return path_of(name, Path(value))


def check_destination(output: AnyPath, overwrite: bool, inputs: Mapping[str, Path], uncertainty: bool = False) -> Path:
    """Refuse to go on where the result could not be written, or would replace what it should not.

    Args:
        output: file to write.
        overwrite: whether it may be replaced, and what is written beside it.
        inputs: files that never are.
        uncertainty: whether that is written, too.

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
    names = [path.name, _report_path(path).name, *[_uncertainty_path(path).name] * uncertainty]
    claim_outputs(path.parent, names, overwrite=True)  # whether they are too long
    for name, file in inputs.items():
        for written in (path, _uncertainty_path(path)):
            if written.exists() and file.exists() and written.samefile(file):
                raise BundleError(f"The output {written} is the file that is given as {name}; name another.")
    _check_free(path, names, overwrite)
    return path


def check_series_destination(
    output: AnyPath, overwrite: bool, item: Mapping[str, str], uncertainty: bool = False
) -> Path:
    """:func:`check_destination` for a DICOM series.

    Args:
        output: folder to write.
        overwrite: whether an earlier series there may be replaced, and the report beside it.
        item: what is reconstructed, as :func:`bundle.data.inference_items` has it.
        uncertainty: whether that is written, too, as a NIfTI file beside the folder.
    """
    path = path_from("output", output)
    path = path if path.name.strip(".") else Path(os.path.abspath(path))  # . and .. have no name
    if path.name.lower().endswith(_SUFFIXES):
        raise BundleError(f"With output_format dicom the output is a folder, not {path}; name one.")
    check_writable(path.parent, "The output's folder", "another output")
    names = [path.name, _report_path(path).name, *[_uncertainty_path(path).name] * uncertainty]
    claim_outputs(path.parent, names, overwrite=True)
    check_series_output(path, item)
    _check_free(path, names, overwrite)
    return path


def write_reconstruction(
    path: Path, volume: MetaTensor, uncertainty: MetaTensor | None, report: Mapping[str, Any]
) -> dict[str, Any]:
    """Write the volume, or its DICOM series, and its uncertainty and report beside it; the report names the files."""
    report = {**report, "reconstruction": path.name}
    if path.name.lower().endswith(_SUFFIXES):
        write_volume(path, volume)
    else:
        write_series(path, volume, report)
    if uncertainty is None:
        tell_of_earlier(_uncertainty_path(path))
    else:
        report["uncertainty"] = {**report["uncertainty"], "file": _uncertainty_path(path).name}
        write_volume(_uncertainty_path(path), uncertainty)
    write_report(_report_path(path), report)
    return report


def _check_free(path: Path, names: list[str], overwrite: bool) -> None:
    paths = [path.parent / name for name in names]
    there = [str(one) for one in paths if holds(one)]
    if not flag("overwrite", overwrite) and there:
        raise BundleError(
            f"There is {' and '.join(there)} already; name another output, or allow replacing with overwrite "
            "(--overwrite on the command line)."
        )
    for one in paths:
        note_free(one, not flag("overwrite", overwrite))


def _report_path(path: Path) -> Path:
    return path.with_name(f"{path.name.removesuffix(_suffix(path))}.json")


def _uncertainty_path(path: Path) -> Path:
    """``OUT.nii.gz`` to ``OUT_uncertainty.nii.gz``; of a series, the folder ``OUT``, likewise."""
    suffix = _suffix(path)
    return path.with_name(f"{path.name.removesuffix(suffix)}_{UNCERTAINTY}{suffix or SUFFIX}")


def _suffix(path: Path) -> str:
    """As it is written; empty for a folder."""
    return next((path.name[-len(end) :] for end in _SUFFIXES if path.name.lower().endswith(end)), "")
