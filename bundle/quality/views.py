"""T2 and T1 on planes through T2's head, seen along T2's own axes, as checkerboards and as T1's edges on T2."""

from __future__ import annotations

import base64
import io

import nibabel as nib
import numpy as np
from monai.data import MetaTensor
from numpy.typing import NDArray
from PIL import Image
from scipy import ndimage

from ..data.slices import middle_of_the_head

__all__ = ["VIEWS", "draw_pair"]

# the RAS axes that rows and columns of a view run along, downwards and to the right, with their signs: the patient's
# right is on the left, as radiologists look at it
VIEWS = {"axial": ((1, -1), (0, -1)), "coronal": ((2, -1), (0, -1)), "sagittal": ((2, -1), (1, -1))}
_MARGIN = 8.0  # mm around the head
_GAP, _CELLS = 4, 7  # pixels between pictures; fields along the longer side of a checkerboard
_T1_TINT, _EDGE = np.array([1.0, 0.84, 0.56]), np.array([1.0, 0.42, 0.1])
Array = NDArray[np.float64]


def draw_pair(
    fixed: MetaTensor,
    moving: MetaTensor,
    before: Array,
    after: Array,
    names: tuple[str, ...],
    pixels: int,
    quality: int,
) -> str:
    """A picture, as a data URI of a JPEG: a row a view; checkerboard before and after, edges before and after.

    Args:
        fixed, moving: T2 and T1, ``(1, x, y, z)``.
        before, after: ``(4, 4)`` RAS mm, T2 to T1.
        names: of :data:`VIEWS`.
        pixels: of the head's longest side.
        quality: of the JPEG, to 95.
    """
    points = _planes(fixed, names, pixels)
    windows = _window(fixed), _window(moving)
    rows = []
    for plane in points:
        t2 = _grey(fixed, np.eye(4), plane, windows[0])
        t1 = [_grey(moving, transform, plane, windows[1]) for transform in (before, after)]
        rows.append([_checkerboard(t2, one) for one in t1] + [_edges_on(t2, one) for one in t1])
    return _data_uri(_composed(rows), quality)


def _planes(fixed: MetaTensor, names: tuple[str, ...], pixels: int) -> list[Array]:
    """World points ``(h, w, 4)`` of each view, all on one scale."""
    directions, low, high, centre = _frame(fixed)
    step = float((high - low).max()) / pixels
    planes = []
    for name in names:
        (down, down_sign), (across, across_sign) = VIEWS[name]
        lines = []
        for axis, sign in ((down, down_sign), (across, across_sign)):
            line = np.arange(low[axis], high[axis], step)
            lines.append(line[::sign])
        coordinates = np.tile(centre, (len(lines[0]), len(lines[1]), 1))
        coordinates[..., down], coordinates[..., across] = lines[0][:, None], lines[1][None]
        world = coordinates @ directions
        planes.append(np.concatenate((world, np.ones((*world.shape[:2], 1))), axis=-1))
    return planes


def _frame(fixed: MetaTensor) -> tuple[Array, Array, Array, Array]:
    """T2's own axes in the order and sense of RAS, as rows; where the head begins and ends along each; its middle."""
    affine, voxels = np.asarray(fixed.affine, dtype=np.float64), fixed.numpy()[0]
    order = nib.orientations.io_orientation(affine)
    directions = np.zeros((3, 3))
    for column, (axis, sign) in zip(affine[:3, :3].T, order):
        directions[int(axis)] = sign * column / np.linalg.norm(column)
    inside = voxels > 0.1 * np.percentile(voxels, 99)
    index = np.argwhere(inside)[::17]
    along = (index @ affine[:3, :3].T + affine[:3, 3]) @ np.linalg.inv(directions)
    low, high = np.percentile(along, (0.5, 99.5), axis=0) + [[-_MARGIN], [_MARGIN]]
    centre = (low + high) / 2
    slices = int(np.flatnonzero(order[:, 0] == 2)[0])  # the voxel axis that runs from foot to head
    foreground = inside.mean(axis=tuple(axis for axis in range(3) if axis != slices))
    middle = index.mean(axis=0)
    middle[slices] = middle_of_the_head(foreground.tolist())
    centre[2] = ((affine[:3, :3] @ middle + affine[:3, 3]) @ np.linalg.inv(directions))[2]
    return directions, low, high, centre


def _window(volume: MetaTensor) -> float:
    """The intensity that is shown white: the scalp's fat, and water, may be white altogether, the brain is not dark."""
    voxels = volume.numpy()[0][::2, ::2, ::2]
    bright = voxels[voxels > voxels.mean()]
    if not bright.size:  # all that is bright lies between the voxels that were taken
        return float(volume.max()) or 1.0
    return min(float(np.percentile(bright, 99)), 1.8 * float(np.median(bright))) or 1.0


def _grey(volume: MetaTensor, transform: Array, plane: Array, white: float) -> Array:
    """A volume on a plane ``(h, w)``, from 0 to 1."""
    voxel = np.linalg.inv(np.asarray(volume.affine, dtype=np.float64)) @ transform
    points = np.moveaxis(plane @ voxel.T, -1, 0)[:3]
    return np.clip(ndimage.map_coordinates(volume.numpy()[0], points, order=1) / white, 0, 1)


def _checkerboard(t2: Array, t1: Array) -> Array:
    """Fields of T2 in grey and of T1 in a warm tint, ``(h, w, 3)``."""
    side = max(t2.shape) / _CELLS
    row, column = (np.arange(size) // side for size in t2.shape)
    of_t1 = (row[:, None] + column[None]) % 2 == 1
    return np.where(of_t1[..., None], t1[..., None] * _T1_TINT, t2[..., None])


def _edges_on(t2: Array, t1: Array) -> Array:
    """T2 in grey with T1's edges in colour, ``(h, w, 3)``: where the Laplacian changes sign and the slope is steep."""
    blur = max(t2.shape) / 140
    slope = ndimage.gaussian_gradient_magnitude(t1, blur)
    positive = ndimage.gaussian_laplace(t1, blur) > 0
    changes = positive ^ ndimage.binary_erosion(positive, border_value=1)
    edges = changes & (slope > 0.3 * np.percentile(slope, 98)) & (slope > 1e-6)
    return np.where(edges[..., None], _EDGE, 0.85 * t2[..., None])


def _composed(rows: list[list[Array]]) -> Array:
    """All pictures in one, ``(h, w, 3)``, on black."""
    width = max(picture.shape[1] for row in rows for picture in row)
    lines = []
    for row in rows:
        height = row[0].shape[0]
        line = np.zeros((height + _GAP, len(row) * (width + _GAP) - _GAP, 3))
        for number, picture in enumerate(row):
            left = number * (width + _GAP) + (width - picture.shape[1]) // 2
            line[:height, left : left + picture.shape[1]] = picture
        lines.append(line)
    return np.concatenate(lines)[:-_GAP]


def _data_uri(picture: Array, quality: int) -> str:
    buffer = io.BytesIO()
    image = Image.fromarray(np.round(picture * 255).astype(np.uint8))
    image.save(buffer, "jpeg", quality=quality, optimize=True)
    return f"data:image/jpeg;base64,{base64.b64encode(buffer.getvalue()).decode()}"
