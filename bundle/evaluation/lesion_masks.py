"""The lesions that somebody has drawn, brought from their file onto the scan's matrix."""

from __future__ import annotations

from pathlib import Path

import nibabel as nib
import numpy as np
from nibabel.spatialimages import SpatialImage
from scipy import ndimage

from ..data.location import locate
from ..data.prepared import PreparedVolume
from ..errors import BundleError

__all__ = ["lesion_mask"]


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
    voxels, affine = _read(path)
    geometry = volume.geometry
    to_file = np.linalg.inv(affine) @ geometry.matrix_affine
    shape = (*geometry.matrix, len(volume))
    found = ndimage.affine_transform(
        voxels.astype(np.uint8), to_file[:3, :3], to_file[:3, 3], output_shape=shape, order=0
    )
    if not found.any():
        raise BundleError(
            f"{path} marks no voxel of {volume.files['t2']}, where their headers put both; bring it to that image "
            "first, or leave the key lesions out of the datalist."
        )
    return found > 0


def _read(path: Path) -> tuple[np.ndarray, np.ndarray]:
    """Bool voxels ``(x, y, z)`` and the affine, in RAS mm."""
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
    return voxels > 0, location.affine
