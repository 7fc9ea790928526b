"""Where the uncertainty is judged: head, edges, background, inserted structures, and what is around them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, fields

import numpy as np
import torch
from scipy import ndimage

from ..errors import BundleError
from .metrics import foreground_mask
from .structures import Place, Structure, planned, tissue

__all__ = ["INSERTED", "REGIONS", "Scene", "Structures"]

INSERTED = ("t2_alone", "t1_alone")  # in turn, from place to place
REGIONS = ("head", "edges", *INSERTED, "around", "background")
STEEP = 80  # per cent of the head, beyond which the reference's gradient makes an edge
GAP, RING = 1.5, 6.0  # mm from a structure's half height: where its surroundings begin and end


@dataclass(frozen=True)
class Structures:
    """What is inserted at each place, into T2 alone or into T1 alone.

    Attributes:
        diameter, edge: mm, as in :class:`~bundle.evaluation.structures.Structure`.
        in_t2, in_t1: contrast over the tissue, of those in T2 and of those in T1.
    """

    diameter: float = 6.0
    edge: float = 0.5
    in_t2: float = 0.5
    in_t1: float = -0.2

    @classmethod
    def of(cls, settings: Mapping[str, float], places: int) -> Structures:
        """BundleError for what is none, or an impossible number of places."""
        names = [field.name for field in fields(cls)]
        if not isinstance(settings, Mapping) or settings.keys() - set(names):
            raise BundleError(f"Structures of the coverage have {', '.join(names)}; not {settings}.")
        own = cls(**settings)
        found = planned([own.diameter], [[own.in_t2, own.in_t1]], places, own.edge)
        (diameter,), ((in_t2, in_t1),) = found.diameters, found.contrasts
        return cls(diameter, found.edge, in_t2, in_t1)


@dataclass(frozen=True)
class Scene:
    """Slices of a volume, each with a structure at its place.

    Attributes:
        t1, t2: ``(n, h, w)``, with the structures.
        regions: bool ``(n, h, w)`` by the names of :data:`REGIONS`; ``head`` and ``edges`` are without the structures
            and what is around them.
    """

    t1: np.ndarray
    t2: np.ndarray
    regions: dict[str, np.ndarray]

    @classmethod
    def of(
        cls, t1: np.ndarray, t2: np.ndarray, places: Sequence[Place], spacing: tuple[float, float], what: Structures
    ) -> Scene:
        """Insert into ``t1`` and ``t2`` ``(n, h, w)``, the slices of the places."""
        head = foreground_mask(torch.from_numpy(np.moveaxis(t2, 0, -1))).numpy()
        head = np.ascontiguousarray(np.moveaxis(head, -1, 0))
        regions = {name: np.zeros(t2.shape, bool) for name in REGIONS} | {"background": ~head}
        images, contrasts = {"t1_alone": t1.copy(), "t2_alone": t2.copy()}, (what.in_t2, what.in_t1)
        for number, place in enumerate(places):
            where = INSERTED[number % 2]
            profile = _disc(place, spacing, what.diameter, what.edge, t2.shape)
            level = tissue(images[where][number], place, spacing)
            images[where][number] = np.maximum(images[where][number] + contrasts[number % 2] * level * profile, 0)
            inner, outer = (_disc(place, spacing, what.diameter + 2 * by, what.edge, t2.shape) for by in (GAP, RING))
            regions[where][number] = profile >= 0.5
            regions["around"][number] = (outer >= 0.5) & (inner < 0.5) & head[number]
            head[number] &= outer < 0.5
        steep = np.stack([ndimage.gaussian_gradient_magnitude(image.astype(float), 1.0) for image in t2])
        edges = head & (steep > np.percentile(steep[head], STEEP)) if head.any() else head
        return cls(images["t1_alone"], images["t2_alone"], regions | {"head": head, "edges": edges})

    def parts(self) -> Iterator[tuple[str, int, np.ndarray]]:
        """Region, place (from 1; 0 for all slices together) and voxels, where there are any."""
        for name, region in self.regions.items():
            by_place = name in (*INSERTED, "around")
            for number in range(1, 1 + len(region)) if by_place else [0]:
                own = np.zeros_like(region)
                chosen = slice(number - 1, number) if number else slice(None)
                own[chosen] = region[chosen]
                if own.any():
                    yield name, number, own


def _disc(place: Place, spacing: tuple[float, float], diameter: float, edge: float, shape: tuple) -> np.ndarray:
    return Structure(place, spacing, diameter, edge).profile(shape[1:])
