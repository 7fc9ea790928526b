"""The lesions that somebody has drawn, brought from their file onto the scan's matrix."""

from __future__ import annotations

from pathlib import Path

import nibabel as nib
import numpy as np
from nibabel.processing import resample_from_to
from nibabel.spatialimages import SpatialImage

from ..data.location import locate
from ..data.prepared import PreparedVolume
from ..errors import BundleError

__all__ = ["lesion_mask"]

_MOST_LABELS = 500  # of a mask that numbers its lesions


def lesion_mask(volume: PreparedVolume) -> np.ndarray | None:
    """The mask that a datalist names as ``lesions``, on the matrix; None where it names none.

    Each voxel of the matrix takes the nearest one of the file, by the affines of both: the mask may have a grid of its
    own, if its header puts it where T2 lies.

    Returns:
        bool, ``(h, w, s)``.

    Raises:
        BundleError: the file cannot be read, is no mask of one volume, or marks nothing that T2 shows.
    """
    if "lesions" not in volume.files:
        return None
    path = Path(volume.files["lesions"])
    grid = (*volume.geometry.matrix, len(volume)), volume.geometry.matrix_affine
    found = np.asarray(resample_from_to(_read(path), grid, order=0).dataobj) > 0
    if not found.any():
        raise BundleError(
            f"{path} marks no voxel of {volume.files['t2']}, where their headers put both; bring it to that image "
            "first, or leave the key lesions out of the datalist."
        )
    return found


def _read(path: Path) -> SpatialImage:
    """One volume of voxels, 1 in lesions, 0 elsewhere, where the header's better form puts it."""
    try:
        image = nib.load(path)
        assert isinstance(image, SpatialImage)
        voxels = np.asarray(image.dataobj)
        location = locate(image)
    except Exception as error:  # nibabel, gzip and zlib each have their own kinds for one and the same mistake
        raise BundleError(f"The lesion mask {path} does not exist or cannot be read as NIfTI.") from error
    voxels = voxels.reshape(voxels.shape[:3]) if voxels.ndim > 3 and max(voxels.shape[3:]) == 1 else voxels
    if location.flaw or voxels.ndim != 3 or not np.isfinite(voxels).all() or (voxels > 0).mean() > 0.5:
        raise BundleError(
            f"{path} is no lesion mask: expected one volume with voxels above 0 in lesions, less than half of it; "
            f"got shape {voxels.shape} with {(voxels > 0).mean():.0%} above 0."
        )
    if voxels.max() > 1 and (values := len(np.unique(voxels))) > _MOST_LABELS:
        raise BundleError(f"{path} is an image and no lesion mask: it has {values} different values.")
    return nib.Nifti1Image((voxels > 0).astype(np.uint8), location.affine)
