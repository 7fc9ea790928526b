"""Tell what is in a file of raw k-space or of an image: matrix, coils, contrast, sampling, symmetry, interpolation.

    python -m bundle inspect FILE --output FOUND.png

FILE is HDF5 of fastMRI, M4Raw or ISMRMRD, a .npy of k-space with its JSON, NIfTI, or the folder of a DICOM series;
docs/kspace.md says what the lines mean. Nothing is written but the picture of --output.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from monai.data import MetaTensor

from ..data.dicom_folders import choose_series, is_dicom
from ..data.reading import read_volume
from ..errors import BundleError
from ..fourier import fft2c
from ..outputs import claim_file
from ..paths import expanded
from ..plotting import save_figure
from .found import image_lines, root_sum_of_squares, scan_lines, volume_slices
from .picture import draw_found
from .reading import SUFFIXES, is_raw, read_kspace

__all__ = ["inspect", "main"]


def main(arguments: Sequence[str] | None = None) -> int:
    """The command line; returns the exit status, 1 after a mistake, which is printed as one sentence."""
    plain = argparse.RawDescriptionHelpFormatter
    parser = argparse.ArgumentParser(prog="python -m bundle inspect", description=__doc__, formatter_class=plain)
    parser.add_argument("file", metavar="FILE", help="raw k-space or an image")
    parser.add_argument("--series", metavar="NUMBER", help="number or UID, where a folder holds several DICOM series")
    parser.add_argument("-o", "--output", metavar="PNG", help="write a small picture, too")
    parser.add_argument("--overwrite", action="store_true", help="replace an earlier picture")
    options = parser.parse_args(arguments)
    try:
        for name, text in inspect(options.file, options.output, options.overwrite, options.series):
            print(f"{name:<16}{text}")
        if options.output is not None:
            print(f"{'picture':<16}{expanded(options.output)}")
    except BundleError as error:
        print(f"Error: {error}", file=sys.stderr)
        return 1
    return 0


def inspect(
    file: str, output: str | None = None, overwrite: bool = False, series: str | None = None
) -> list[tuple[str, str]]:
    """Lines of a name and a sentence.

    Args:
        file: raw k-space, NIfTI, or the folder of a DICOM series.
        output: of a picture, ``.png``; None for none.
        overwrite: whether it may be replaced.
        series: which of the folder's, by number or UID.

    Raises:
        BundleError: the file cannot be read, or the picture not be written; a series is asked for of a file.
    """
    picture = None if output is None else _picture_path(output, overwrite)
    path = expanded(file)
    if series is not None and not path.is_dir():
        raise BundleError(f"series chooses a DICOM series of a folder, but {path} is no folder.")
    if is_raw(path):
        scan = read_kspace(path)
        lines, middle = scan_lines(scan), scan.kspace[len(scan.kspace) // 2]
        image, kspace = root_sum_of_squares(middle).numpy(), middle.abs().square().sum(dim=0).sqrt().numpy()
        acquired, aspect = scan.sampling.acquired, scan.spacing[0] / scan.spacing[1]
    else:
        volume = _image(path, series)
        lines, slices = image_lines(path, volume), volume_slices(volume)
        image, acquired, aspect = np.ascontiguousarray(slices[len(slices) // 2]), None, 1.0
        kspace = fft2c(torch.from_numpy(image)).abs().numpy()
    if picture is not None:
        save_figure(draw_found(path.name, image, kspace, acquired, aspect), picture)
    return lines


def _image(path: Path, series: str | None) -> MetaTensor:
    if path.is_file() and path.suffix.lower() not in (".nii", ".gz") and not is_dicom(path):
        raise BundleError(
            f"{path} is no file that is looked into: raw k-space is named {', '.join(SUFFIXES)}, an image .nii or "
            ".nii.gz, or is the folder of a DICOM series."
        )
    return read_volume(path, min_slices=1, series=choose_series(path, series, role="").key if path.is_dir() else None)


def _picture_path(output: str, overwrite: bool) -> Path:
    path = expanded(output)
    if path.suffix.lower() != ".png":
        raise BundleError(f"The picture is a PNG file, named .png, not {path}.")
    claim_file(path, "--output", overwrite)
    return path
