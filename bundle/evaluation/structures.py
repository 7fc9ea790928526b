"""Lesion-like structures: where one can lie in a head, what it looks like, and what an image shows of it.

A structure is round in its slice and fills it: what the thickness of a slice takes from a ball is not simulated. It
adds ``contrast`` times the tissue's median there, times a profile: 1 in the middle, a half at half the diameter, and
0.73 and 0.27 at ``edge`` mm to each side of that.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated, NamedTuple

import numpy as np
import torch
from pydantic import AfterValidator, BaseModel, Field, ValidationError
from scipy import ndimage
from scipy.special import expit

from ..errors import BundleError
from .metrics import foreground_mask

__all__ = ["Place", "Planned", "Structure", "draw_places", "planned", "tissue"]

DEPTH = 20.0  # mm, from the outline of what T2 shows: under scalp and skull
AROUND = 7.5  # mm, the radius of what counts as a place's tissue
QUIET = 30  # per cent of all candidates: those around which T2 varies least, away from fluid and folds
FILTER_MARGIN = 3.0  # mm, beyond the structure


def _each_once(values: list) -> list:
    if not values or len(set(values)) < len(values):
        raise ValueError("one or more, each once")
    return values


def _not_zero(value: float) -> float:
    if not value:
        raise ValueError("a contrast of 0 is none")
    return value


Millimetres = Annotated[float, Field(gt=0, le=2 * DEPTH, allow_inf_nan=False)]  # a larger one would leave the head
# below -1 a magnitude would be below 0
Contrast = Annotated[float, Field(ge=-1, allow_inf_nan=False), AfterValidator(_not_zero)]


class Planned(BaseModel):
    """What is inserted at each of so many places of a volume; sizes and edge in mm, pairs of T2's and T1's contrast."""

    diameters: Annotated[list[Millimetres], AfterValidator(_each_once)]
    contrasts: Annotated[list[tuple[Contrast, Contrast]], AfterValidator(_each_once)]
    places: Annotated[int, Field(gt=0, strict=True)]
    edge: Millimetres


def planned(diameters: Sequence, contrasts: Sequence, places: int, edge: float) -> Planned:
    """These, if they are structures; BundleError where one is none."""
    values = {"diameters": diameters, "contrasts": contrasts, "places": places, "edge": edge}
    try:
        return Planned.model_validate(values)
    except ValidationError as error:
        raise BundleError(
            f"Structures have diameters and an edge in mm above 0, {2 * DEPTH:g} at most, a whole number of places "
            "above 0, and pairs of contrasts over the tissue, T2's and T1's, from -1 on and not 0, none of them twice; "
            f"not {diameters}, {edge}, {places} and {contrasts}."
        ) from error


class Place(NamedTuple):
    """Where a structure lies: a slice, a row and a column of the matrix."""

    slice: int
    row: int
    column: int


def draw_places(
    t1: np.ndarray, t2: np.ndarray, spacing: Sequence[float], count: int, seed: int, avoid: np.ndarray | None = None
) -> list[Place]:
    """Places in quiet tissue deep in the head, in as many slices as there are.

    Args:
        t1, t2: magnitude volumes ``(h, w, s)``.
        spacing: of rows and of columns, mm.
        count: of places.
        seed: of the draw.
        avoid: bool ``(h, w, s)``, such as real lesions; None for nothing.

    Raises:
        BundleError: no voxel lies so deep.
    """
    signal = [foreground_mask(torch.from_numpy(np.ascontiguousarray(image))).numpy() for image in (t1, t2)]
    head = signal[0] & signal[1]
    deep = [ndimage.distance_transform_edt(plane, sampling=spacing) >= DEPTH for plane in np.moveaxis(head, -1, 0)]
    candidates = np.stack(deep, axis=-1)
    if avoid is not None:  # with what may be inserted
        near = [ndimage.distance_transform_edt(~plane, sampling=spacing) for plane in np.moveaxis(avoid, -1, 0)]
        candidates &= np.stack(near, axis=-1) >= AROUND
    if not candidates.any():
        raise BundleError(f"No voxel of T2 lies {DEPTH:g} mm inside the head, so no structure can be inserted.")
    window = (*(max(1, round(2 * AROUND / size)) for size in spacing), 1)
    mean, square = (ndimage.uniform_filter(power, window) for power in (t2.astype(float), t2.astype(float) ** 2))
    variation = np.sqrt(np.maximum(square - mean**2, 0)) / np.maximum(mean, 1e-12)
    candidates &= variation <= np.percentile(variation[candidates], QUIET)
    rng = np.random.default_rng(seed)
    slices = rng.permutation(np.flatnonzero(candidates.any(axis=(0, 1))))
    chosen = [int(slices[number % len(slices)]) for number in range(count)]
    return [Place(index, *map(int, rng.choice(np.argwhere(candidates[..., index])))) for index in chosen]


@dataclass(frozen=True)
class Structure:
    """One at a place.

    Attributes:
        place: its middle.
        spacing: of rows and of columns, mm.
        diameter, edge: mm, above 0.
    """

    place: Place
    spacing: tuple[float, float]
    diameter: float
    edge: float

    def profile(self, shape: Sequence[int]) -> np.ndarray:
        """From 0 to 1, in a slice ``(h, w)`` of that shape."""
        return expit((self.diameter / 2 - _distance(shape, self.place, self.spacing)) / self.edge)

    def filtered(self, image: np.ndarray) -> float:
        """What a matched filter gives at the structure's place, in units of the image ``(h, w)``.

        The filter is the profile less its mean, up to 3 mm beyond the structure, and scaled so that the structure alone
        gives its own amplitude. Uniform tissue gives 0, of whatever brightness: it is the contrast that is measured.
        """
        near = _distance(image.shape, self.place, self.spacing) <= self.diameter / 2 + FILTER_MARGIN
        own = self.profile(image.shape)[near]
        matched = own - own.mean()
        return float((image[near] * matched).sum() / (own * matched).sum())


def tissue(image: np.ndarray, place: Place, spacing: Sequence[float]) -> float:
    """The median of ``(h, w)`` around a place, without any structure."""
    return float(np.median(image[_distance(image.shape, place, spacing) <= AROUND]))


def _distance(shape: Sequence[int], place: Place, spacing: Sequence[float]) -> np.ndarray:
    """mm, of each voxel of a slice ``(h, w)`` from a place's middle."""
    rows, columns = np.ogrid[: shape[0], : shape[1]]
    return np.hypot((rows - place.row) * spacing[0], (columns - place.column) * spacing[1])
