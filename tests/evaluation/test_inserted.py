"""What is inserted before the scan is found again as far as the scan and the network let it through."""

from __future__ import annotations

import json
from unittest.mock import Mock

import numpy as np
import pandas as pd
import pytest
import torch

from bundle.acquisition import Acquisition, KspaceNoise, MisregisteredGuide, VolumeDataset, make_mask
from bundle.data.prepared import PreparedVolumes
from bundle.data.slices import Geometry
from bundle.errors import BundleError
from bundle.evaluation import InsertedStructures
from bundle.fourier import magnitude_image
from tests.conftest import ALIGNMENT

from .test_handlers import evaluate

SHAPE = (80, 80, 2)


def uniform(item: dict) -> dict:
    """Preprocessing: tissue in air, the same in T1 and T2."""
    t2 = torch.zeros(2, *SHAPE[:2])
    t2[:, 8:-8, 8:-8] = 100
    geometry = Geometry.of(np.diag([1.0, 1.0, 5.0, 1.0]), SHAPE, None)
    return {"t1": t2.clone(), "t2": t2, "geometry": geometry, "alignment": ALIGNMENT}


class CopiesT1(torch.nn.Module):
    """Shows T1 for T2."""

    def forward(self, image: torch.Tensor) -> torch.Tensor:
        return magnitude_image(image[:, :2])


@pytest.fixture
def volumes(tmp_path):
    return PreparedVolumes([{"subject": "s", "t1": "1.nii", "t2": "2.nii"}], uniform, tmp_path / "prepared")


def measured(volumes, folder, acceleration: float, noise: float, network=None) -> pd.DataFrame:
    acquisition = Acquisition(make_mask("random", acceleration), KspaceNoise(noise))
    settings = {"diameters": (3, 6), "contrasts": ((0.5, -0.2),), "places": 2}
    handler = InsertedStructures(str(folder), VolumeDataset(volumes, acquisition), "X", **settings)
    evaluate(volumes, handler, network=network, acquisition=acquisition)
    table = pd.read_csv(folder / "structures.csv")
    assert len(table) == 2 * 2 * 3
    return table.set_index("where")


def test_a_fully_sampled_scan_without_noise_shows_all_of_a_structure_and_invents_nothing(volumes, tmp_path):
    table = measured(volumes, tmp_path, acceleration=1, noise=0)
    inserted = table.loc[["t2", "both"], ["survives", "zf_survives", "survives_ring", "survives_sampled"]]
    assert np.allclose(inserted, 1, atol=1e-3)
    assert np.allclose(table.loc["t1", "invented"], 0, atol=1e-4) and table.survives_guessed.isna().all()
    assert np.allclose(table.loc[["t2", "both"], "score"], 0.5, atol=1e-3)
    assert np.allclose(table[["score_without", "score_full_without"]], 0, atol=1e-3)
    summary = json.loads((tmp_path / "structures_summary.json").read_text())
    assert {row["roc_area"] for row in summary["structures"] if row["where"] == "t2"} == {1}
    assert {row["survives"] for row in summary["half_survives_from_mm"]} == {3}
    assert (tmp_path / "figures" / "structures.png").stat().st_size > 10_000


def test_undersampling_takes_from_a_structure_and_zero_filling_as_the_network_is_zero_filling(volumes, tmp_path):
    table = measured(volumes, tmp_path, acceleration=5, noise=0.02).loc["t2"]
    assert np.allclose(table.survives, table.zf_survives, atol=1e-3) and table.survives.between(0.05, 0.9).all()
    # the magnitude of a complex image keeps a part of what its mirrored point of k-space does not confirm
    assert table.survives_sampled.between(0.7, 1.05).all() and table.survives_guessed.between(-0.1, 0.25).all()
    assert table.score_full.between(0.3, 0.7).all()


def test_a_network_that_shows_t1_invents_what_t1_has_and_loses_what_t2_has(volumes, tmp_path):
    table = measured(volumes, tmp_path, acceleration=1, noise=0, network=CopiesT1())
    assert np.allclose(table.loc["t1", "invented"], 1, atol=1e-2)
    assert np.allclose(table.loc["t2", "survives"], 0, atol=1e-2)
    assert np.allclose(table.loc["both", "survives"], -0.4, atol=1e-2)  # dark in T1, bright in T2


def test_a_dark_structure_is_detected_as_a_bright_one_is_and_voxels_stay_magnitudes(volumes, tmp_path):
    acquisition = Acquisition(make_mask("random", 1), KspaceNoise(0))
    settings = {"diameters": (6,), "contrasts": ((0.5, -0.2), (-0.5, -0.2), (-0.5, 0.4), (-1, 1)), "places": 2}
    handler = InsertedStructures(str(tmp_path), VolumeDataset(volumes, acquisition), "X", **settings)
    evaluate(volumes, handler, acquisition=acquisition)
    table = pd.read_csv(tmp_path / "structures.csv").query("where == 't2'")
    assert np.allclose(table.survives, 1, atol=1e-3) and np.allclose(table.score, table.contrast, atol=1e-3)
    rows = json.loads((tmp_path / "structures_summary.json").read_text())["structures"]
    shown = [row for row in rows if row["where"] == "t2"]
    assert len(shown) == 4 and all(row["roc_area"] == row["roc_area_full"] == 1 for row in shown)


def test_switched_off_it_writes_nothing(volumes, tmp_path):
    dataset = VolumeDataset(volumes, Acquisition(make_mask("random", 4), KspaceNoise(0)))
    evaluate(volumes, InsertedStructures(str(tmp_path / "out"), dataset, enabled="false"))
    assert not (tmp_path / "out").exists()


def test_a_head_without_places_is_refused_before_anything_is_reconstructed(make_volumes, tmp_path):
    volumes = make_volumes(count=1)
    dataset = VolumeDataset(volumes, Acquisition(make_mask("random", 4), KspaceNoise(0)))
    network = Mock(side_effect=AssertionError)
    with pytest.raises(BundleError, match="No voxel of T2 lies 20 mm inside the head"):
        evaluate(volumes, InsertedStructures(str(tmp_path), dataset), network=network)
    network.assert_not_called()


def test_a_guide_in_the_place_of_t1_is_refused_and_not_passed_over(volumes, tmp_path):
    dataset = VolumeDataset(volumes, Acquisition(make_mask("random", 4), KspaceNoise(0)), guide=MisregisteredGuide(2))
    with pytest.raises(BundleError, match="each pair's own T1: leave out --structures, or the guide"):
        InsertedStructures(str(tmp_path), dataset)
    InsertedStructures(str(tmp_path), dataset, enabled=False)


@pytest.mark.parametrize(
    "wrong",
    [
        *({"diameters": sizes} for sizes in ([], [0, 2], [41], [float("nan")], ["six"], [6, 6.0], 6)),
        *({"contrasts": pairs} for pairs in ([], [[0.5]], [[0.5, 0]], [[-1.1, 1]], [[float("inf"), 1]], [[1, 1]] * 2)),
        *({"places": count} for count in (0, -1, 2.5, None)),
        {"edge": 0},
    ],
)
def test_impossible_structures_are_refused(volumes, tmp_path, wrong):
    dataset = VolumeDataset(volumes, Acquisition(make_mask("random", 4), KspaceNoise(0)))
    with pytest.raises(BundleError, match="above 0, and pairs of contrasts"):
        InsertedStructures(str(tmp_path), dataset, **wrong)
