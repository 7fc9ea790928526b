"""How often the error stays in its interval, by region and by scan; or the calibration that makes it do so."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import torch
from ignite.engine import Events
from monai.engines import SupervisedEvaluator
from scipy import stats

from ..acquisition import Acquisition, VolumeDataset
from ..acquisition.datasets import scan_seed
from ..data.prepared import PreparedVolume
from ..errors import BundleError
from ..outputs import claim_outputs
from ..paths import path_of
from ..settings import flag
from .calibration import COVERAGE, Calibration, Recorded, half_width, path_beside, read_calibration, spreads_of
from .calibration_fit import conformal_factor, fit_parts
from .coverage_regions import Scene, Structures
from .coverage_scans import SCANS, acquisitions, scanned
from .coverage_tables import write_coverage
from .lesion_masks import lesion_mask
from .spreads import Scanned, squared_spreads
from .structures import draw_places
from .uncertainty import reconstruction_by

__all__ = ["Coverage"]

VOXELS = 2000  # of the head of each slice, that a calibration is fitted to


class Coverage:
    """Write ``coverage.csv``, ``coverage_summary.json`` and ``figures/coverage.png``; or a calibration.

    A few slices of each volume are scanned anew by each of ``scans``, with a structure that T2 alone or T1 alone has
    (:mod:`.coverage_regions`), and reconstructed. Noise and phase are the evaluation's, the centre is by acceleration;
    T1 is as it was aligned for the evaluation's own scan. A calibration is fitted to the head and, as much, to the
    structures that T2 alone has.

    Args:
        output_dir: gets the files.
        dataset: what the evaluator evaluates.
        weights: of the network.
        network_name: in the figure.
        enabled: False to write nothing.
        calibrate: write ``<weights>_uncertainty.json``, fitted to these subjects, and no tables; where T1 is hidden,
            ``<weights>_uncertainty_t2.json``.
        trained_on: whether the weights were trained on these subjects; the calibration tells it.
        overwrite: whether a calibration may be replaced.
        scans: pattern and acceleration of each.
        places: in each volume, one a slice; every other one has its structure in T1.
        structures: diameter and edge in mm, and the contrasts ``in_t2`` and ``in_t1``.

    Raises:
        BundleError: weights without calibration, a calibration that would be replaced, a scan that is none, a hidden
            contrast, or a guide in the place of each pair's own T1.
    """

    def __init__(
        self,
        output_dir: str,
        dataset: VolumeDataset,
        weights: Recorded | None,
        network_name: str = "MANet",
        enabled: bool = True,
        calibrate: bool = False,
        trained_on: bool = False,
        overwrite: bool = False,
        scans: Sequence[Sequence] = SCANS,
        places: int = 6,
        structures: dict[str, float] | None = None,
    ) -> None:
        self.output_dir, self.dataset, self.network_name = path_of("output_dir", output_dir), dataset, network_name
        self.enabled, self.calibrates = flag("coverage", enabled), flag("calibrate", calibrate)
        self.weights, self.trained_on, self.places = weights, trained_on, places
        self.structures = Structures.of(structures or {}, places)
        self.visible = dataset.acquisition.visible
        measures = self.enabled and not self.calibrates
        self.calibration = read_calibration(weights, self.visible) if measures else None
        if self.enabled and dataset.guide is not None:
            raise BundleError("Coverage is measured with each pair's own T1: leave out --coverage, or the guide.")
        if self.enabled and self.calibrates:
            claim_outputs(self.output_dir, [self._calibration_name()], overwrite)
        self.scans = acquisitions(scans, dataset.acquisition) if self.enabled else {}
        self._rows: list[dict[str, Any]] = []
        self._samples: dict[str, list[dict[str, np.ndarray]]] = {}

    def attach(self, engine: SupervisedEvaluator) -> None:
        """Called by the evaluator."""
        if self.enabled:
            engine.add_event_handler(Events.ITERATION_COMPLETED, self._add)
            engine.add_event_handler(Events.COMPLETED, self._write)

    def _add(self, engine: SupervisedEvaluator) -> None:
        for item in engine.state.batch:
            volume = self.dataset.volumes[int(item["index"])]
            scene = self._scene(volume)
            for scan, acquisition in self.scans.items():
                error, squares = self._reconstructed(
                    engine, scene, acquisition, scan_seed(self.dataset.seed, volume.name)
                )
                if self.calibrates:
                    self._samples.setdefault(volume.subject, []).append(_sampled(scene, error, squares))
                else:
                    known: dict[str, Any] = {"subject": volume.subject, "volume": volume.name}
                    known |= {"pattern": scan[0], "acceleration": scan[1]}
                    self._rows += [known | row for row in self._measured(scene, error, squares)]

    def _scene(self, volume: PreparedVolume) -> Scene:
        t1, t2 = (image.numpy() for image in volume.slices())
        upright, spacing = [np.moveaxis(image, 0, -1) for image in (t1, t2)], volume.geometry.spacing
        seed = scan_seed(self.dataset.seed, volume.name)
        places = draw_places(upright[0], upright[1], spacing, self.places, seed, lesion_mask(volume))
        chosen = [place.slice for place in places]
        return Scene.of(t1[chosen], t2[chosen], places, spacing, self.structures)

    def _reconstructed(
        self, engine: SupervisedEvaluator, scene: Scene, acquisition: Acquisition, seed: int
    ) -> tuple[np.ndarray, dict[str, torch.Tensor]]:
        """The errors ``(n, h, w)`` and the squared spreads, scaled as the network has them."""
        acquired = acquisition.set_random_state(seed=seed)(*(torch.from_numpy(one) for one in (scene.t1, scene.t2)))
        reconstruct = reconstruction_by(engine.network, engine.inferer)
        image, mask = (part.to(engine.state.device) for part in (acquired.image, acquired.mask))
        found = reconstruct(image)
        names = spreads_of(self.visible) if self.calibration is None else self.calibration.spreads
        squares = squared_spreads(Scanned(reconstruct, image, mask, found), names)
        scale = torch.where(acquired.scale > 0, acquired.scale, torch.ones_like(acquired.scale))
        error = found[:, 0].cpu() - torch.from_numpy(scene.t2) / scale
        return error.abs().numpy(), {name: square.cpu() for name, square in squares.items()}

    def _measured(self, scene: Scene, error: np.ndarray, squares: dict[str, torch.Tensor]) -> Iterator[dict[str, Any]]:
        assert self.calibration is not None
        deviation = self.calibration.deviation(squares)[:, 0].numpy()
        covered = error <= half_width(self.calibration.coverage) * deviation
        for region, place, voxels in scene.parts():
            row = {"region": region, "place": place, "voxels": int(voxels.sum())}
            row |= {"coverage": covered[voxels].mean(), "sd": deviation[voxels].mean()}
            row |= {"rms_error": float(np.sqrt(np.mean(error[voxels] ** 2)))}
            if region == "head":
                row["rank_correlation"] = stats.spearmanr(error[voxels], deviation[voxels]).statistic
            yield row

    def _write(self, engine: SupervisedEvaluator) -> None:
        if self.calibrates:
            self._calibrated().write(self.output_dir / self._calibration_name())
        else:
            assert self.calibration is not None
            write_coverage(self._rows, self.output_dir, self.network_name, self.calibration)
        self._rows, self._samples = [], {}

    def _calibration_name(self) -> str:
        return path_beside(self._record()["file"], self.visible).name

    def _record(self) -> dict[str, Any]:
        if self.weights is None:
            raise BundleError("A method without weights cannot be calibrated; leave out calibrate.")
        return self.weights.record()

    def _calibrated(self) -> Calibration:
        heads, structures, groups = [], [], []
        for scans in self._samples.values():
            own = [scan["head"] for scan in scans]
            inserted = np.concatenate([scan["t2_alone"] for scan in scans])
            there = [inserted] if len(inserted) else []
            heads.append(np.concatenate(own))
            structures += there
            groups.append(own + there)
        fitted = heads + structures
        parts = fit_parts([one[:, 0] for one in fitted], [one[:, 1:] for one in fitted])
        factor = conformal_factor([[one[:, 0] / np.sqrt(one[:, 1:] @ parts + 1e-12) for one in own] for own in groups])
        named = {name: float(f"{part:.4g}") for name, part in zip(spreads_of(self.visible), parts)}
        record, subjects = self._record(), sorted(self._samples)
        known = (subjects, bool(self.trained_on), scanned(self.dataset, [*self.scans]))
        return Calibration(record["sha256"], named, round(factor, 4), COVERAGE, *known)


def _sampled(scene: Scene, error: np.ndarray, squares: dict[str, torch.Tensor]) -> dict[str, np.ndarray]:
    """Errors and squared spreads of some voxels of the head and of the structures in T2 alone, ``(n, 1 + spreads)``."""
    images = np.stack([error, *(one.numpy().reshape(error.shape) for one in squares.values())], axis=-1)
    found = {name: images[scene.regions[name]] for name in ("head", "t2_alone")}
    count = min(len(found["head"]), VOXELS * len(error))
    return found | {"head": np.random.default_rng(0).choice(found["head"], count, replace=False)}
