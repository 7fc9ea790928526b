"""Real lesions: how much of a lesion's contrast an image keeps, and how much of the lesion its scan has measured.

*Lesion*: voxels of the mask that touch by their faces, in three dimensions, numbered from 1.

*Ring*: the voxels of a lesion's own slices that lie two or three voxels from it in plane, a ring of two voxels that
leaves out the next one, which holds part of the lesion; without voxels of other lesions, or beside them, and without
the background (:func:`~bundle.evaluation.metrics.foreground_mask`).

*Contrast* of an image: its mean over the lesion less its median over the ring, so that a vessel or ventricle that the
ring touches counts for little. ``t2_contrast`` and ``t1_contrast`` are those of the reference and of T1, over the
ring's median. *Survives*: contrast of the image over contrast of the reference, 1 where all is kept, negative where it
is turned.

*Energy sampled*: of the lesion alone (the reference less the ring's median inside the lesion, 0 elsewhere), slice by
slice, the energy at the points that were sampled over the energy at all points of k-space. What is not sampled has to
be guessed, from T1 or from other heads; noise is not counted.

A lesion is left out of ``survives``, and says why, where the reference's contrast is below a fifth of the ring's
median, dark lesions included, where it is less than what the ring itself varies by (the median distance from its
median), or where the ring has fewer than eight voxels.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np
import torch
from scipy import ndimage

from ..errors import BundleError
from ..fourier import fft2c
from .metrics import foreground_mask

__all__ = ["LEAST_CONTRAST", "Surroundings", "contrast", "energy_sampled", "find_lesions", "measure_lesions"]

LEAST_CONTRAST = 0.2  # of the ring's median
LEAST_RING = 8  # voxels
INNER, OUTER = 1, 3  # voxels, of the ring
_IN_PLANE = ndimage.generate_binary_structure(2, 1)[..., None]


class Surroundings(NamedTuple):
    """A lesion and its ring, in the part of the volume that ``box`` cuts out; both bool."""

    box: tuple[slice, ...]
    inside: np.ndarray
    ring: np.ndarray


def measure_lesions(
    mask: np.ndarray, t1: np.ndarray, reference: np.ndarray, images: Mapping[str, np.ndarray], sampled: np.ndarray
) -> list[dict[str, Any]]:
    """Every lesion of a volume.

    Args:
        mask: bool, ``(h, w, s)``.
        t1, reference: magnitude volumes ``(h, w, s)`` on the same grid; the reference is the fully sampled T2.
        images: name -> ``(h, w, s)`` in the reference's units, such as the reconstruction.
        sampled: points of k-space ``(h, w)``.

    Returns:
        one dictionary a lesion: ``lesion``, ``voxels``, ``row``, ``column``, ``slice`` (its fullest slice, and the
        middle of it there, from 0), ``t2_contrast``, ``t1_contrast``, ``energy_sampled``, ``left_out`` (empty, or why)
        and the names of ``images``: what survives there, NaN where the lesion is left out.

    Raises:
        BundleError: volumes of different shapes.
    """
    for name, volume in {"T1": t1, "reference": reference, **images}.items():
        if volume.shape != mask.shape:
            raise BundleError(f"The lesion mask has shape {mask.shape}, but the {name} {volume.shape}.")
    return [
        {"lesion": number, **_measured(place, t1, reference, images, sampled)}
        for number, place in enumerate(find_lesions(mask, reference), start=1)
    ]


def find_lesions(mask: np.ndarray, reference: np.ndarray) -> list[Surroundings]:
    """The lesions of a mask ``(h, w, s)``, with their rings."""
    labels, _ = ndimage.label(mask)
    foreground = foreground_mask(torch.from_numpy(np.ascontiguousarray(reference))).numpy()
    found = []
    for number, (rows, columns, slices) in enumerate(ndimage.find_objects(labels), start=1):
        box = (*(slice(max(0, side.start - OUTER - 1), side.stop + OUTER + 1) for side in (rows, columns)), slices)
        inside = labels[box] == number
        others = _grown((labels[box] != number) & (labels[box] > 0), INNER)
        ring = _grown(inside, OUTER) & ~_grown(inside, INNER) & ~others & foreground[box]
        found.append(Surroundings(box, inside, ring))
    return found


def contrast(image: np.ndarray, place: Surroundings) -> tuple[float, float]:
    """Mean of ``(h, w, s)`` over the lesion less the median over its ring, and that median; NaN without a ring."""
    part = image[place.box].astype(np.float64)
    ring = float(np.median(part[place.ring])) if place.ring.any() else np.nan
    return float(part[place.inside].mean()) - ring, ring


def energy_sampled(profile: np.ndarray, sampled: np.ndarray) -> float:
    """The share of an image's k-space energy at the sampled points.

    Args:
        profile: real, ``(h, w, s)``; each slice is transformed by itself, as it was scanned.
        sampled: points of k-space ``(h, w)``.
    """
    energy = fft2c(torch.from_numpy(profile).double().movedim(-1, 0)).abs().square().sum(dim=0).numpy()
    return float(energy[sampled != 0].sum() / energy.sum()) if energy.any() else np.nan


def _measured(
    place: Surroundings, t1: np.ndarray, reference: np.ndarray, images: Mapping[str, np.ndarray], sampled: np.ndarray
) -> dict[str, Any]:
    row, column, index = _middle(place)
    (full, ring), (in_t1, ring_t1) = contrast(reference, place), contrast(t1, place)
    why = _left_out(reference, place, full, ring)
    alone = np.zeros((*reference.shape[:2], place.inside.shape[2]))
    alone[place.box[:2]] = np.where(place.inside, reference[place.box] - ring, 0)
    return {
        "voxels": int(place.inside.sum()),
        "row": row,
        "column": column,
        "slice": index,
        "t2_contrast": full / ring if ring > 0 else np.nan,
        "t1_contrast": in_t1 / ring_t1 if ring_t1 > 0 else np.nan,
        "energy_sampled": energy_sampled(alone, sampled),
        "left_out": why,
        **{name: np.nan if why else contrast(image, place)[0] / full for name, image in images.items()},
    }


def _left_out(reference: np.ndarray, place: Surroundings, full: float, ring: float) -> str:
    """Why a lesion's contrast cannot be divided by; empty where it can."""
    if place.ring.sum() < LEAST_RING:
        return "too few voxels around it"
    if not full >= LEAST_CONTRAST * ring:
        return "too faint in the reference"
    around = reference[place.box][place.ring]
    return "surroundings too varied" if full < np.median(np.abs(around - ring)) else ""


def _middle(place: Surroundings) -> tuple[int, int, int]:
    """The lesion's fullest slice, and the middle of what it fills there: row, column, slice of the volume."""
    fullest = int(place.inside.sum(axis=(0, 1)).argmax())
    row, column = np.argwhere(place.inside[..., fullest]).mean(axis=0)
    first = [side.start for side in place.box]
    return round(first[0] + row), round(first[1] + column), first[2] + fullest


def _grown(mask: np.ndarray, voxels: int) -> np.ndarray:
    return ndimage.binary_dilation(mask, _IN_PLANE, iterations=voxels)
