"""Structures inserted before the scan, reconstructed with and without, and what of them is seen: rows of a table."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from itertools import product
from typing import Any, NamedTuple

import numpy as np
import torch
from ignite.engine import Events
from monai.engines import SupervisedEvaluator
from monai.networks.utils import eval_mode
from torch import Tensor

from ..acquisition import VolumeDataset
from ..acquisition.datasets import scan_seed
from ..data.prepared import PreparedVolume
from ..errors import BundleError
from ..fourier import fft2c, ifft2c
from ..paths import path_of
from ..settings import flag
from .lesion_masks import lesion_mask
from .lesions import contrast, find_lesions
from .structure_tables import write_structures
from .structures import Place, Structure, draw_places, planned, tissue

__all__ = ["WHERE", "InsertedStructures"]

WHERE = ("t2", "t1", "both")


class _Seen(NamedTuple):
    """Images ``(n, h, w)`` in T2's units, noisy but fully sampled, noise-free; and the points that were sampled."""

    network: np.ndarray
    zero_filled: np.ndarray
    full: np.ndarray
    reference: np.ndarray
    sampled: np.ndarray


class _Scene(NamedTuple):
    """The places of a volume, mm between rows and columns, and its scan: T1 and T2 ``(n, h, w)`` to what is seen."""

    places: Sequence[Place]
    spacing: tuple[float, float]
    scan: Callable[..., _Seen]


class InsertedStructures:
    """Write ``structures.csv``, ``structures_summary.json`` and ``figures/structures.png``.

    At each place of each volume a structure is put into T2, into T1, or into both, after their alignment and before the
    scan; its slice is scanned and reconstructed with the mask of the volume, once with it and once without, with the
    same noise. Mask, weights and T1 are those of the evaluation.

    *survives*, *zf_survives*: what a matched filter (:meth:`~bundle.evaluation.structures.Structure.filtered`) finds of
    the structure in the difference of the two reconstructions (zero-filled images), over what was inserted; this is
    what is reported. *survives_ring*: the same by the difference's contrast to a ring, as real lesions are measured
    (:mod:`bundle.evaluation.lesions`). *survives_sampled*, *survives_guessed*: the factor of the structure that fits
    the difference at the points of k-space that were sampled, and at all others. *invented*, where T1 alone has it:
    what the filter finds in the difference, over T2's tissue, over the contrast in T1; negative where it is bright in
    one and dark in the other. *score*: of the filter, over the tissue, on the images themselves: the reconstruction and
    the noisy, fully sampled scan, with the structure and without.

    Args:
        output_dir: gets the files.
        dataset: what the evaluator evaluates.
        network_name: of the reconstruction.
        enabled: False to insert and write nothing.
        diameters: mm.
        contrasts: pairs of that in T2 and that in T1, over the tissue.
        places: in each volume.
        edge: softness of the structure's edge, mm.

    Raises:
        BundleError: impossible sizes, places or contrasts, one of them twice, or a guide in the place of each pair's
            own T1.
    """

    def __init__(
        self,
        output_dir: str,
        dataset: VolumeDataset,
        network_name: str = "MANet",
        enabled: bool = True,
        diameters: Sequence[float] = (2, 3, 4, 6, 8, 12),
        contrasts: Sequence[Sequence[float]] = ((0.5, -0.2), (0.25, -0.1)),
        places: int = 8,
        edge: float = 0.5,
    ) -> None:
        self.output_dir = path_of("output_dir", output_dir)
        self.dataset, self.network_name, self.enabled = dataset, network_name, flag("structures", enabled)
        if self.enabled and dataset.guide is not None:
            raise BundleError("Structures are put into each pair's own T1: leave out --structures, or the guide.")
        self.planned = planned(diameters, contrasts, places, edge)
        self._places: list[list[Place]] = []
        self._rows: list[dict[str, Any]] = []

    def attach(self, engine: SupervisedEvaluator) -> None:
        """Called by the evaluator."""
        if self.enabled:
            engine.add_event_handler(Events.STARTED, self._draw)  # a head without places is refused at once
            engine.add_event_handler(Events.ITERATION_COMPLETED, self._add)
            engine.add_event_handler(Events.COMPLETED, self._write)

    def _write(self, engine: SupervisedEvaluator) -> None:
        rows, self._rows = self._rows, []
        write_structures(rows, self.output_dir, self.network_name)

    def _draw(self, engine: SupervisedEvaluator) -> None:
        self._places = []
        for volume in self.dataset.volumes:
            t1, t2 = (image.permute(1, 2, 0).numpy() for image in volume.slices())
            seed = scan_seed(self.dataset.seed, volume.name)
            self._places.append(
                draw_places(t1, t2, volume.geometry.spacing, self.planned.places, seed, lesion_mask(volume))
            )

    def _add(self, engine: SupervisedEvaluator) -> None:
        for item in engine.state.batch:
            volume, places = self.dataset.volumes[int(item["index"])], self._places[int(item["index"])]
            stacks = [np.stack([image[place.slice] for place in places]) for image in volume.slices()]
            scene = _Scene(places, volume.geometry.spacing, self._scanner(engine, volume))
            known = {"subject": volume.subject, "volume": volume.name}
            self._rows += [known | row for row in self._inserted(stacks, scene)]

    def _scanner(self, engine: SupervisedEvaluator, volume: PreparedVolume) -> Callable[..., _Seen]:
        """Takes T1 and T2 ``(n, h, w)``; the mask is the volume's, the noise the same each time."""
        acquisition, seed = self.dataset.acquisition, scan_seed(self.dataset.seed, volume.name)

        def scan(t1: np.ndarray, t2: np.ndarray) -> _Seen:
            images: list[Tensor] = [torch.from_numpy(image.astype(np.float32)) for image in (t1, t2)]
            acquired = acquisition.set_random_state(seed=seed)(*images)
            image = acquired.image.permute(1, 2, 3, 0)[None].to(engine.state.device)
            with eval_mode(engine.network):
                found = engine.inferer(image, engine.network)[0, 0].float().cpu().movedim(-1, 0) * acquired.scale
            acquisition.set_random_state(seed=seed).mask.sample(*t2.shape[1:])  # so that the noise is the scan's
            full = ifft2c(acquisition.noise(fft2c(acquisition.phase(images[1])), images[1])).abs()
            sampled = acquired.mask.expand(full.shape)
            images_seen = (found, acquired.zero_filled, full, images[1], sampled)
            return _Seen(*(image.numpy() for image in images_seen))

        return scan

    def _inserted(self, stacks: Sequence[np.ndarray], scene: _Scene) -> Iterator[dict[str, Any]]:
        """A row for each size, contrast, image that has the structure, and place."""
        levels = [
            [tissue(image, place, scene.spacing) for image, place in zip(stack, scene.places)] for stack in stacks
        ]
        without = scene.scan(*stacks)
        for diameter, (in_t2, in_t1), where in product(self.planned.diameters, self.planned.contrasts, WHERE):
            structures = [Structure(place, scene.spacing, diameter, self.planned.edge) for place in scene.places]
            profiles = np.stack([structure.profile(stacks[0].shape[1:]) for structure in structures])
            added = (in_t1 * (where != "t2"), in_t2 * (where != "t1"))
            amounts = [share * np.array(level)[:, None, None] for share, level in zip(added, levels)]
            seen = scene.scan(*(np.maximum(stack + amount * profiles, 0) for stack, amount in zip(stacks, amounts)))
            known = {"where": where, "diameter_mm": diameter, "contrast": in_t2, "t1_contrast": in_t1}
            for number, structure in enumerate(structures):
                one, none = (_Seen(*(image[number] for image in images)) for images in (seen, without))
                measured = _measured(one, none, structure, levels[1][number], added)
                yield {"place": number + 1, **structure.place._asdict(), **known, **measured}


def _measured(
    seen: _Seen, without: _Seen, structure: Structure, level: float, added: tuple[float, float]
) -> dict[str, float]:
    """What is seen of a structure that was ``added`` to T1 and to T2, over T2's tissue, whose ``level`` is given."""
    in_t1, in_t2 = added
    shown = [structure.filtered(after - before) / level for after, before in zip(seen[:2], without[:2])]
    if in_t2:
        inside = structure.profile(seen.reference.shape) >= 0.5
        (lesion,) = find_lesions(inside[..., None], without.reference[..., None])
        gains = [contrast((seen[n] - without[n])[..., None], lesion)[0] for n in (0, 3)]
        there = structure.filtered(seen.reference - without.reference) / level  # in_t2, where no voxel was cut off at 0
        row = {"survives": shown[0] / there, "zf_survives": shown[1] / there, "survives_ring": gains[0] / gains[1]}
        row |= _by_kspace(seen.network - without.network, seen.reference - without.reference, seen.sampled)
    else:
        row = {"invented": shown[0] / in_t1}
    scores = {"score": seen.network, "score_without": without.network}
    scores |= {"score_full": seen.full, "score_full_without": without.full}
    return row | {name: structure.filtered(image) / level for name, image in scores.items()}


def _by_kspace(difference: np.ndarray, inserted: np.ndarray, sampled: np.ndarray) -> dict[str, float]:
    """What survives at the points that were sampled, and at the others, which had to be guessed; NaN without such."""
    found, own = (fft2c(torch.from_numpy(image).double()).numpy() for image in (difference, inserted))
    product, energy = (own.conj() * found).real, np.abs(own) ** 2
    parts = {"survives_sampled": sampled, "survives_guessed": ~sampled}
    return {name: product[part].sum() / energy[part].sum() if part.any() else np.nan for name, part in parts.items()}
