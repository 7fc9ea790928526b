"""A head of tissue fractions and its MR signals: the anatomy behind the demo data (:mod:`bundle.demo.phantom`).

Brain: grey and white matter of the ICBM152 2009a nonlinear template (Fonov et al., NeuroImage 2011,
doi:10.1016/j.neuroimage.2010.07.033), as nilearn ships it in its wheel, so that nothing is downloaded. nilearn's
description of the template states its licence as "unknown"; its makers, the McConnell Brain Imaging Centre in Montreal,
describe it at www.bic.mni.mcgill.ca/ServicesAtlases/ICBM152NLin2009. The bundle contains no part of it: images are
computed from it on the user's machine. What surrounds the brain (fluid, skull, scalp, eyes, muscle) is drawn here.

Volumes are ``(x, y, z)`` on a 1 mm grid in MNI space, RAS+. Two relaxation equations give the contrasts, per tissue:

* T2w, spin echo: ``PD * (1 - exp(-TR / T1)) * exp(-TE / T2)``
* T1w, spoiled gradient echo: ``PD * sin(a) * (1 - E) / (1 - E * cos(a))`` with ``E = exp(-TR / T1)``
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from scipy import ndimage
from torch.nn import functional

__all__ = ["Head", "AFFINE", "template_head", "individual_head", "spin_echo", "spoiled_gradient_echo"]

Volume = NDArray[np.float32]

TISSUES = ("white matter", "grey matter", "fluid", "fat", "muscle")
# proton density, T1 and T2 in ms at 1.5 T (literature, rounded); bone and air give no signal and need no map
_DENSITY = np.array([0.70, 0.82, 1.00, 0.55, 0.70])
_T1 = np.array([600.0, 1100.0, 4000.0, 300.0, 900.0])
_T2 = np.array([76.0, 94.0, 900.0, 110.0, 42.0])
_LESION = {"density": 0.88, "t1": 1250.0, "t2": 170.0}

_BOX = ((6, 191), (4, 229), (0, 176))  # of the template's grid: the head with its scalp
_NECK = 20  # slices below the template, where the brain stem goes on
AFFINE = np.array([[1.0, 0, 0, -92], [0, 1, 0, -130], [0, 0, 1, -72 - _NECK], [0, 0, 0, 1]])


class Head(NamedTuple):
    """One person: noise-free T1w and T2w volumes ``(x, y, z)`` on :data:`AFFINE`, and the lesions' centres in mm."""

    t1: Volume
    t2: Volume
    lesions: list[list[float]]


def spin_echo(density: NDArray, t1: NDArray, t2: NDArray, repetition: float = 5000.0, echo: float = 100.0) -> NDArray:
    """Spin-echo signal; times in ms."""
    return density * (1 - np.exp(-repetition / t1)) * np.exp(-echo / t2)


def spoiled_gradient_echo(density: NDArray, t1: NDArray, repetition: float = 9.8, flip: float = 18.0) -> NDArray:
    """Spoiled gradient-echo (FLASH) signal; times in ms, flip angle in degrees."""
    recovery, angle = np.exp(-repetition / t1), np.deg2rad(flip)
    return density * np.sin(angle) * (1 - recovery) / (1 - recovery * np.cos(angle))


def individual_head(template: Volume, rng: np.random.Generator, lesions: int = 0) -> Head:
    """Draw a person: own shape, folding, tissue parameters, texture and coil shading.

    Args:
        template: of :func:`template_head`; it is not changed.
        rng: the only source of chance.
        lesions: number of white-matter lesions; all are bright in T2w, every other one is faintly dark in T1w.
    """
    fractions = _fold(_deform(template, rng), rng)
    blobs, centres = _draw_lesions(fractions[0], lesions, rng)
    vary = [rng.uniform(0.95, 1.05, len(TISSUES)) for _ in range(3)]
    density, t1, t2 = _DENSITY * vary[0], _T1 * vary[1], _T2 * vary[2]
    contrasts = {
        "t1": (spoiled_gradient_echo(density, t1), spoiled_gradient_echo(_LESION["density"], _LESION["t1"]), blobs[1]),
        "t2": (spin_echo(density, t1, t2), spin_echo(*_LESION.values()), blobs[0]),
    }
    # proton density shows in both contrasts, T2 in one
    shared = 0.045 * _texture(rng, fractions.shape[1:])
    textures = {"t1": 1 + shared, "t2": 1 + shared + 0.03 * _texture(rng, shared.shape)}
    signals = {}
    for name, (tissue, lesion, blob) in contrasts.items():
        signal = np.tensordot(tissue.astype(np.float32), fractions, axes=1)
        signal += blob * fractions[0] * np.float32(lesion - tissue[0])
        shading = np.exp(0.09 * _smooth_noise(rng, signal.shape, 90)) * _coil_edge(signal.shape)
        signals[name] = signal * textures[name] * shading
    return Head(signals["t1"], signals["t2"], centres)


def template_head() -> Volume:
    """Tissue fractions ``(tissue, x, y, z)`` of the average head, in the order of :data:`TISSUES`."""
    from nilearn import datasets  # here, since it takes seconds to import and only new demo data needs it

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
    streaks = _smooth_noise(np.random.default_rng(7), cranium.shape, 9)
    lean = 1 / (1 + np.exp(-5 * (streaks + 0.7)))
    x, y, z = _millimetres(cranium.shape)
    airways = sum(
        _ellipsoid(x - cx, y - cy, z - cz, *radii)
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
    x, y, z = _millimetres(shape)
    return (
        _ellipsoid(np.abs(x) - 32, y - 64, z + 38, 11.5, 11.5, 11.5),
        _ellipsoid(np.abs(x) - 29, y - 56, z + 38, 16, 24, 15),
    )


def _deform(fractions: Volume, rng: np.random.Generator) -> Volume:
    """Stretch by a few per cent and bend smoothly; linear interpolation."""
    shape = fractions.shape[1:]
    bend = [3.2 * _smooth_noise(rng, shape, 64) + 0.9 * _smooth_noise(rng, shape, 34) for _ in shape]
    grid = []
    for axis, size in enumerate(shape):
        stretched = np.linspace(-1, 1, size, dtype=np.float32) * np.float32(rng.uniform(0.95, 1.04))
        index = [None] * 3
        index[axis] = slice(None)
        grid.append(stretched[tuple(index)] + bend[axis] * np.float32(2 / (size - 1)))
    # grid_sample counts coordinates from the last axis
    points = torch.from_numpy(np.stack(grid[::-1], axis=-1).astype(np.float32))
    warped = functional.grid_sample(
        torch.from_numpy(fractions)[None], points[None], align_corners=True, padding_mode="border"
    )
    return warped[0].numpy()


def _fold(fractions: Volume, rng: np.random.Generator) -> Volume:
    """Turn the average's soft cortex into one person's: sharpened fractions, pushed about at the scale of sulci."""
    brain = fractions[:3]
    inside = brain.sum(0)
    push = 0.55 * _smooth_noise(rng, inside.shape, 9) + 0.5 * _grain(rng, inside.shape, 1.5)
    weights = brain + np.float32(2e-3)
    weights[2] *= np.exp(push)
    weights[0] *= np.exp(-0.5 * push)
    weights **= 2.2
    weights *= inside / weights.sum(0)
    return np.concatenate([weights, fractions[3:]])


def _draw_lesions(
    white: Volume, count: int, rng: np.random.Generator
) -> tuple[tuple[Volume, Volume], list[list[float]]]:
    """Blobs ``(x, y, z)`` in [0, 1] of all lesions and of those that T1 sees too, and their centres in mm."""
    every, in_t1 = np.zeros_like(white), np.zeros_like(white)
    height = _millimetres(white.shape)[2][..., ::2]
    deep = ndimage.minimum_filter(white[::2, ::2, ::2], 3) > 0.9
    centres = 2 * rng.permutation(np.argwhere(deep & (np.abs(height - 22) < 22)))[:count]
    offsets = np.ogrid[-9:10, -9:10, -9:10]
    for number, centre in enumerate(centres):
        blob = _ellipsoid(*offsets, *rng.uniform(2.5, 6.0, 3))
        near = tuple(slice(index - 9, index + 10) for index in centre)
        every[near] = np.maximum(every[near], blob)
        in_t1[near] = np.maximum(in_t1[near], 0.5 * blob * (number % 2))
    return (every, in_t1), (centres + AFFINE[:3, 3]).tolist()


def _texture(rng: np.random.Generator, shape: tuple[int, ...]) -> Volume:
    """Variation below and at the scale of tissue, standard deviation about 1."""
    return 0.7 * _grain(rng, shape, 0.9) + 0.7 * _smooth_noise(rng, shape, 8)


def _grain(rng: np.random.Generator, shape: tuple[int, ...], width: float) -> Volume:
    """White noise filtered by a Gaussian of ``width`` voxels, standard deviation 1."""
    noise = ndimage.gaussian_filter(rng.standard_normal(shape, dtype=np.float32), width, truncate=2.5)
    return noise / noise.std()


def _smooth_noise(rng: np.random.Generator, shape: tuple[int, ...], period: float) -> Volume:
    """Random nodes ``period`` voxels apart, interpolated; standard deviation 1."""
    nodes = rng.standard_normal([int(size / period) + 3 for size in shape], dtype=np.float32)
    # cubic to nodes 8 voxels apart, then linear: looks as smooth, and is many times as fast as cubic alone
    coarse = ndimage.zoom(nodes, max(1.0, period / 8), order=3)
    full = functional.interpolate(torch.from_numpy(coarse)[None, None], size=shape, mode="trilinear")[0, 0].numpy()
    return full / full.std()


def _coil_edge(shape: tuple[int, ...]) -> Volume:
    """The coil's sensitivity, which ends at the neck."""
    height = _millimetres(shape)[2]
    return (1 / (1 + np.exp(-(height + 84) / 7))).astype(np.float32)


def _millimetres(shape: tuple[int, ...]) -> list[Volume]:
    """Open grids of MNI coordinates x, y, z."""
    return [
        axis.astype(np.float32) + np.float32(start)
        for axis, start in zip(np.ogrid[tuple(map(slice, shape))], AFFINE[:3, 3])
    ]


def _ellipsoid(x: Volume, y: Volume, z: Volume, a: float, b: float, c: float) -> Volume:
    """1 inside, 0 outside, with an edge of about 2 mm."""
    radius = np.sqrt((x / a) ** 2 + (y / b) ** 2 + (z / c) ** 2)
    return np.clip((1 - radius) * min(a, b, c) / 2 + 0.5, 0, 1).astype(np.float32)


def _band(distance: Volume, start: float, end: float) -> Volume:
    """1 where start < distance < end (mm), with edges of 1 mm."""
    return np.clip(distance - start + 0.5, 0, 1) * np.clip(end - distance + 0.5, 0, 1)


def _soft(mask: NDArray[np.bool_]) -> Volume:
    return ndimage.gaussian_filter(mask.astype(np.float32), 0.7)
