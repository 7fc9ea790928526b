"""The average head as tissue fractions: the anatomy that every simulated person is drawn from.

Brain: grey and white matter of the ICBM152 2009a nonlinear template (Fonov et al., NeuroImage 2011,
doi:10.1016/j.neuroimage.2010.07.033), as nilearn ships it in its wheel, so that nothing is downloaded. nilearn's
description of the template states its licence as "unknown"; its makers, the McConnell Brain Imaging Centre in Montreal,
describe it at www.bic.mni.mcgill.ca/ServicesAtlases/ICBM152NLin2009. The bundle contains no part of it: images are
computed from it on the user's machine. What surrounds the brain (fluid, skull, scalp, eyes, muscle) is drawn here.

Volumes are ``(x, y, z)`` on a 1 mm grid in MNI space, RAS+.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from ..errors import BundleError
from .random_fields import Volume, smooth_noise

__all__ = ["AFFINE", "ellipsoid", "millimetres", "template_head"]

_BOX = ((6, 191), (4, 229), (0, 176))  # of the template's grid: the head with its scalp
_NECK = 20  # slices below the template, where the brain stem goes on
AFFINE = np.array([[1.0, 0, 0, -92], [0, 1, 0, -130], [0, 0, 1, -72 - _NECK], [0, 0, 0, 1]])


def template_head() -> Volume:
    """Tissue fractions ``(tissue, x, y, z)`` of the average head, in the order of ``bundle.demo.signals.TISSUES``.

    Raises:
        BundleError: nilearn is not installed.
    """
    try:
        from nilearn import datasets  # here, since it takes seconds to import and only new demo data needs it
    except ImportError as error:
        raise BundleError(
            "The demo data are made from tissue maps of nilearn, which is not installed: run "
            "python -m pip install '.[demo]' in the bundle's folder, or give data of your own as dataset_dir."
        ) from error
    load = (datasets.load_mni152_template, datasets.load_mni152_gm_template, datasets.load_mni152_wm_template)
    crop = tuple(slice(*side) for side in _BOX)
    # the brain stem is carried on downwards, as the spinal cord
    brain, grey, white = (
        np.pad(np.asarray(get(resolution=1).dataobj, np.float32)[crop], ((0, 0), (0, 0), (_NECK, 0)), mode="edge")
        for get in load
    )
    closed = ndimage.distance_transform_edt(brain <= 0.02) < 4
    cranium = ndimage.distance_transform_edt(closed) > 3
    # the pocket around the hypophysis is cistern, not bone
    cranium = np.stack([ndimage.binary_fill_holes(axial) for axial in np.moveaxis(cranium, -1, 0)], axis=-1)
    grey, white = grey * cranium, white * cranium
    fluid = np.clip(_soft(cranium) - grey - white, 0, 1)
    fat, muscle = _around(cranium)
    eyes, orbit = _eyes(cranium.shape)
    fat, muscle = fat * (1 - orbit) + np.clip(orbit - eyes, 0, 1), muscle * (1 - orbit)
    return np.stack([white, grey, np.maximum(fluid, eyes), fat, muscle]).astype(np.float32)


def _around(cranium: NDArray[np.bool_]) -> tuple[Volume, Volume]:
    """Fat and muscle outside the cranium: marrow between two dark tables of bone, then muscle, fat and skin."""
    outside = ndimage.distance_transform_edt(~cranium).astype(np.float32)
    # the head does not taper below the brain: face and neck lie there
    column = np.maximum.accumulate((outside < 13)[..., ::-1], axis=-1)[..., ::-1]
    depth = ndimage.distance_transform_edt(ndimage.gaussian_filter(column.astype(np.float32), 5) > 0.5)
    marrow = _band(outside, 2.2, 4.6)
    skin, fat = _band(depth, 0.5, 2.2), _band(depth, 2.2, 5.5)
    deep = _band(outside, 6.5, 1e3) * _band(depth, 5.5, 1e3)
    streaks = smooth_noise(np.random.default_rng(7), cranium.shape, 9)
    lean = 1 / (1 + np.exp(-5 * (streaks + 0.7)))
    x, y, z = millimetres(cranium.shape)
    airways = sum(
        ellipsoid(x - cx, y - cy, z - cz, *radii)
        for cx, cy, cz, *radii in (
            (0, 58, -52, 9, 24, 20),
            (24, 58, -68, 13, 16, 13),
            (-24, 58, -68, 13, 16, 13),
            (0, 15, -82, 12, 14, 30),
        )
    )
    deep = deep * (1 - np.clip(airways, 0, 1))
    return 0.55 * marrow * (1 - deep) + fat * (1 - marrow) + deep * (1 - lean), 0.8 * skin + deep * lean


def _eyes(shape: tuple[int, ...]) -> tuple[Volume, Volume]:
    """Vitreous bodies, and the orbits of fat around them."""
    x, y, z = millimetres(shape)
    return (
        ellipsoid(np.abs(x) - 32, y - 64, z + 38, 11.5, 11.5, 11.5),
        ellipsoid(np.abs(x) - 29, y - 56, z + 38, 16, 24, 15),
    )


def millimetres(shape: tuple[int, ...]) -> list[Volume]:
    """Open grids of MNI coordinates x, y, z."""
    return [
        axis.astype(np.float32) + np.float32(start)
        for axis, start in zip(np.ogrid[tuple(map(slice, shape))], AFFINE[:3, 3])
    ]


def ellipsoid(x: Volume, y: Volume, z: Volume, a: float, b: float, c: float) -> Volume:
    """1 inside, 0 outside, with an edge of about 2 mm."""
    radius = np.sqrt((x / a) ** 2 + (y / b) ** 2 + (z / c) ** 2)
    return np.clip((1 - radius) * min(a, b, c) / 2 + 0.5, 0, 1).astype(np.float32)


def _band(distance: NDArray[np.floating], start: float, end: float) -> NDArray[np.floating]:
    """1 where start < distance < end (mm), with edges of 1 mm."""
    return np.clip(distance - start + 0.5, 0, 1) * np.clip(end - distance + 0.5, 0, 1)


def _soft(mask: NDArray[np.bool_]) -> Volume:
    return ndimage.gaussian_filter(mask.astype(np.float32), 0.7)
