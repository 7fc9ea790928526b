"""What the methods of a table made of one volume, read from their runs' folders and laid side by side."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import nibabel
import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from nibabel.filebasedimages import ImageFileError
from nibabel.nifti1 import Nifti1Image

from ..errors import BundleError
from .comparison import methods_figure
from .detail import middle_slice
from .plan import AS_TRAINED

__all__ = ["compare_reconstructions"]

RECONSTRUCTION, REFERENCE, T1 = "_recon.nii.gz", "_reference.nii.gz", "_t1.nii.gz"


def compare_reconstructions(methods: Mapping[str, pd.DataFrame], folder: Path) -> tuple[Figure, str] | None:
    """The middle slice of the first volume, by name, that all methods reconstructed as trained.

    Args:
        methods: label -> rows of ``results.csv`` of one scan and one seed, all its folds.
        folder: the study's.

    Returns:
        the figure, and what it shows: volume, slice, seed; None where no volume is everyone's, or of one matrix.

    Raises:
        BundleError: a volume cannot be read.
    """
    files = {label: _volumes(folder, rows) for label, rows in methods.items()}
    common = sorted(set.intersection(*map(set, files.values())))
    if not common:
        return None
    volume = common[0]
    images = {label: _read(found[volume]) for label, found in files.items()}
    first = next(iter(files.values()))[volume]
    reference, t1 = _read(first.with_name(volume + REFERENCE)), first.with_name(volume + T1)
    if any(image.shape != reference.shape for image in images.values()):
        return None
    index = middle_slice(np.asanyarray(reference.dataobj))
    rows = {label: _row(own, volume) for label, own in methods.items()}
    figure = methods_figure(
        {label: _slice(image, index) for label, image in images.items()},
        _slice(reference, index),
        t1=_slice(_read(t1), index) if t1.is_file() else None,
        metrics={label: {name: float(row[name]) for name in ("psnr", "ssim")} for label, row in rows.items()},
        spacing=tuple(np.linalg.norm(reference.affine[:3, :2], axis=0)),
        rot90=1 if reference.affine[1, 1] >= 0 else -1,
    )
    whole = all(str(row.subject) == volume for row in rows.values())
    over = "the whole volume" if whole else "all volumes of the subject"
    seeds = ", ".join(map(str, sorted({int(row.seed) for row in rows.values()})))
    return figure, f"{volume}, slice {index + 1} of {reference.shape[2]}; PSNR and SSIM of {over}, seed {seeds}"


def _volumes(folder: Path, rows: pd.DataFrame) -> dict[str, Path]:
    """Volume -> reconstruction, of those that have a reference beside them and a row of their subject."""
    places = [folder / str(run) / "conditions" / AS_TRAINED / "reconstructions" for run in dict.fromkeys(rows.folder)]
    found = {
        path.name.removesuffix(RECONSTRUCTION): path
        for place in places
        for path in sorted(place.glob(f"*{RECONSTRUCTION}"))
    }
    return {volume: path for volume, path in found.items() if path.with_name(volume + REFERENCE).is_file()}


def _row(rows: pd.DataFrame, volume: str) -> pd.Series:
    """The row of a volume's subject: a volume is named ``subject`` or ``subject_session``."""
    names = rows.subject.astype(str)
    owners = [name for name in names if volume == name or volume.startswith(f"{name}_")]
    return rows[names == max(owners, key=len)].iloc[0]


def _read(path: Path) -> Nifti1Image:
    try:
        return nibabel.load(path)
    except (OSError, ImageFileError) as error:
        raise BundleError(f"The volume {path} cannot be read ({error}); run the study again to make it.") from error


def _slice(image: Nifti1Image, index: int) -> np.ndarray:
    return np.asarray(image.dataobj[..., index], dtype=np.float64)
