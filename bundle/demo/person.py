"""One simulated person: the average head given a shape, folds, lesions and tissue parameters of its own."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import torch
from scipy import ndimage
from torch.nn import functional

from .random_fields import Volume, grain, smooth_noise, texture
from .signals import DENSITY, LESION, T1, T2, TISSUES, spin_echo, spoiled_gradient_echo
from .tissues import AFFINE, ellipsoid, millimetres

__all__ = ["Head", "individual_head", "individual_tissues"]


class Head(NamedTuple):
    """One person.

    Attributes:
        t1, t2: noise-free signals ``(x, y, z)`` on ``bundle.demo.tissues.AFFINE``.
        lesions: their centres, mm.
    """

    t1: Volume
    t2: Volume
    lesions: list[list[float]]


def individual_head(template: Volume, rng: np.random.Generator, lesions: int = 0) -> Head:
    """Draw a person: own shape, folding, tissue parameters, texture and coil shading.

    Args:
        template: of :func:`bundle.demo.tissues.template_head`; it is not changed.
        rng: the only source of chance.
        lesions: number of white-matter lesions; all are bright in T2w, every other one is faintly dark in T1w.
    """
    fractions = individual_tissues(template, rng)
    blobs, centres = _draw_lesions(fractions[0], lesions, rng)
    vary = [rng.uniform(0.95, 1.05, len(TISSUES)) for _ in range(3)]
    density, t1, t2 = DENSITY * vary[0], T1 * vary[1], T2 * vary[2]
    contrasts = {
        "t1": (spoiled_gradient_echo(density, t1), spoiled_gradient_echo(*LESION[:2]), blobs[1]),
        "t2": (spin_echo(density, t1, t2), spin_echo(*LESION), blobs[0]),
    }
    # proton density shows in both contrasts, T2 in one
    shared = 0.045 * texture(rng, fractions.shape[1:])
    textures = {"t1": 1 + shared, "t2": 1 + shared + 0.03 * texture(rng, shared.shape)}
    signals = {}
    for name, (tissue, lesion, blob) in contrasts.items():
        signal = np.tensordot(tissue.astype(np.float32), fractions, axes=1)
        signal += blob * fractions[0] * np.float32(lesion - tissue[0])
        shading = np.exp(0.09 * smooth_noise(rng, signal.shape, 90)) * _coil_edge(signal.shape)
        signals[name] = signal * textures[name] * shading
    return Head(signals["t1"], signals["t2"], centres)


def individual_tissues(template: Volume, rng: np.random.Generator) -> Volume:
    """Draw a person's anatomy: the template's tissue fractions ``(tissue, x, y, z)``, deformed and folded."""
    return _fold(_deform(template, rng), rng)


def _deform(fractions: Volume, rng: np.random.Generator) -> Volume:
    """Stretch by a few per cent and bend smoothly; linear interpolation."""
    shape = fractions.shape[1:]
    bend = [3.2 * smooth_noise(rng, shape, 64) + 0.9 * smooth_noise(rng, shape, 34) for _ in shape]
    grid = []
    for axis, size in enumerate(shape):
        stretched = np.linspace(-1, 1, size, dtype=np.float32) * np.float32(rng.uniform(0.95, 1.04))
        grid.append(stretched.reshape(-1, *[1] * (2 - axis)) + bend[axis] * np.float32(2 / (size - 1)))
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
    push = 0.55 * smooth_noise(rng, inside.shape, 9) + 0.5 * grain(rng, inside.shape, 1.5)
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
    height = millimetres(white.shape)[2][..., ::2]
    deep = ndimage.minimum_filter(white[::2, ::2, ::2], 3) > 0.9
    centres = 2 * rng.permutation(np.argwhere(deep & (np.abs(height - 22) < 22)))[:count]
    x, y, z = np.ogrid[-9:10, -9:10, -9:10]
    for number, centre in enumerate(centres):
        blob = ellipsoid(x, y, z, *rng.uniform(2.5, 6.0, 3))
        near = tuple(slice(index - 9, index + 10) for index in centre)
        every[near] = np.maximum(every[near], blob)
        in_t1[near] = np.maximum(in_t1[near], 0.5 * blob * (number % 2))
    return (every, in_t1), (centres + AFFINE[:3, 3]).tolist()


def _coil_edge(shape: tuple[int, ...]) -> Volume:
    """The coil's sensitivity, which ends at the neck."""
    height = millimetres(shape)[2]
    return (1 / (1 + np.exp(-(height + 84) / 7))).astype(np.float32)
