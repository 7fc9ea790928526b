"""A calibration on some heads holds on others, and the tables say where it does not."""

from __future__ import annotations

import json
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
import torch

from bundle.acquisition import Acquisition, KspaceNoise, MisregisteredGuide, SmoothPhase, VolumeDataset, make_mask
from bundle.data.prepared import PreparedVolumes
from bundle.data.slices import Geometry
from bundle.errors import BundleError
from bundle.evaluation import Coverage, coverage
from bundle.evaluation.coverage_regions import Scene, Structures
from bundle.evaluation.coverage_tables import summarise_coverage
from bundle.evaluation.structures import Place
from tests.conftest import ALIGNMENT

from .test_handlers import evaluate

SHAPE = (48, 48, 2)
SCANS = (("random", 1), ("radial", 1.2))


def head(item: dict) -> dict:
    """Preprocessing: tissue in air, of a brightness of its own."""
    t2 = torch.zeros(2, *SHAPE[:2])
    t2[:, 4:-4, 4:-4] = 100 + 10 * (sum(item["subject"].encode()) % 7)
    geometry = Geometry.of(np.diag([2.0, 2.0, 5.0, 1.0]), SHAPE, None)
    return {"t1": t2.clone(), "t2": t2, "geometry": geometry, "alignment": ALIGNMENT}


def volumes(folder, names: str) -> PreparedVolumes:
    items = [{"subject": name, "t1": f"{name}1.nii", "t2": f"{name}2.nii"} for name in names]
    return PreparedVolumes(items, head, folder / "prepared")


def judge(folder, names: str, acquisition: Acquisition | None = None, **settings) -> None:
    acquisition = acquisition or Acquisition(make_mask("random", 2), KspaceNoise(0.1))
    weights = SimpleNamespace(record=lambda: {"file": str(folder / "model.pt"), "sha256": "01"})
    judged = volumes(folder, names)
    dataset = VolumeDataset(judged, acquisition)
    evaluate(
        judged, Coverage(str(folder), dataset, weights, scans=SCANS, places=2, **settings), acquisition=acquisition
    )


def test_without_t1_it_is_calibrated_and_measured_apart(tmp_path):
    t2_alone = Acquisition(make_mask("random", 2), KspaceNoise(0.1), ("t2",))
    judge(tmp_path, "ab", t2_alone, calibrate=True)
    calibration = json.loads((tmp_path / "model_uncertainty_t2.json").read_text())
    assert list(calibration["parts"]) == ["noise", "edges", "unseen"]
    judge(tmp_path, "d", t2_alone)
    inside = pd.read_csv(tmp_path / "coverage.csv").query("region == 'head'")
    assert len(inside) == 2 and inside.coverage.between(0.85, 0.97).all()
    with pytest.raises(BundleError, match="no calibration, which would be .*model_uncertainty.json"):
        judge(tmp_path, "d")


def test_a_hidden_t2_is_refused_and_the_scans_have_the_evaluations_phase(tmp_path):
    with pytest.raises(BundleError, match=r"visible \['t1'\] hides T2; leave out save_uncertainty and coverage"):
        judge(tmp_path, "a", Acquisition(make_mask("random", 2), KspaceNoise(0.1), ("t1",)), calibrate=True)
    own = Acquisition(make_mask("random", 2), KspaceNoise(0.1), phase=SmoothPhase(0.5))
    weights = SimpleNamespace(record=lambda: {"file": str(tmp_path / "model.pt"), "sha256": "01"})
    covered = Coverage(str(tmp_path), VolumeDataset(volumes(tmp_path, "a"), own), weights, scans=SCANS, calibrate=True)
    assert all(acquisition.phase is own.phase for acquisition in covered.scans.values())


def test_what_is_calibrated_on_some_heads_holds_on_others_and_tells_whom_it_knows(tmp_path, caplog):
    judge(tmp_path, "ab", calibrate=True, trained_on=True)
    assert not (tmp_path / "coverage.csv").exists()
    calibration = json.loads((tmp_path / "model_uncertainty.json").read_text())
    assert (calibration["sha256"], calibration["subjects"], calibration["trained_on"]) == ("01", ["a", "b"], True)
    assert (
        calibration["scanned"]["scans"] == [list(scan) for scan in SCANS]
        and calibration["scanned"]["noise_level"] == 0.1
    )
    with pytest.raises(BundleError, match="already holds model_uncertainty.json"):
        judge(tmp_path, "ab", calibrate=True)
    judge(tmp_path, "d")
    table = pd.read_csv(tmp_path / "coverage.csv")
    assert set(table.subject) == {"d"}
    inside = table[table.region == "head"]
    assert len(inside) == 2 and inside.coverage.between(0.85, 0.97).all()
    summary = json.loads((tmp_path / "coverage_summary.json").read_text())
    assert summary["calibration"]["subjects"] == ["a", "b"] and not caplog.messages
    judge(tmp_path, "b")
    assert "calibrated on b, so that coverage there is no test" in caplog.text
    assert len(summary["over_surroundings"]) == 4 and (tmp_path / "figures" / "coverage.png").stat().st_size > 10_000


def test_a_calibration_is_fitted_to_each_head_and_as_much_to_what_t2_alone_shows_in_it(tmp_path, monkeypatch):
    fit, voxels = coverage.fit_parts, []
    monkeypatch.setattr(coverage, "fit_parts", lambda e, squares: voxels.extend(map(len, e)) or fit(e, squares))
    judge(tmp_path, "ab", calibrate=True)
    heads, structures = voxels[:2], voxels[2:]
    assert len(structures) == 2 and 0 < max(structures) < min(heads)


def test_regions_are_apart_and_hold_the_structure_its_surroundings_and_the_edges():
    t2 = np.zeros((2, 80, 80), np.float32)
    t2[:, 8:-8, 8:-8] = 100
    places = [Place(0, 40, 40), Place(1, 30, 40)]
    scene = Scene.of(t2, t2, places, (1.0, 1.0), Structures(in_t2=0.5, in_t1=-0.2))
    assert scene.t2[0, 40, 40] == pytest.approx(150, rel=0.01) and scene.t1[1, 30, 40] == pytest.approx(80, rel=0.01)
    assert (scene.t1[0] == t2[0]).all() and (scene.t2[1] == t2[1]).all()
    counts = sum(scene.regions[name].astype(int) for name in ("head", "t2_alone", "t1_alone", "around", "background"))
    assert counts.max() == 1 and scene.regions["t2_alone"][0, 40, 40] and scene.regions["around"][1, 30, 47]
    assert not (scene.regions["edges"] & ~scene.regions["head"]).any() and scene.regions["edges"][0, 8, 40]
    by_place = [("t2_alone", 1), ("t1_alone", 2), ("around", 1), ("around", 2)]
    assert [(name, place) for name, place, _ in scene.parts()][2:6] == by_place


def test_the_summary_weighs_voxels_within_a_volume_volumes_of_a_subject_and_subjects_alike():
    scan = {"pattern": "random", "acceleration": 6.0}
    sessions = [{"volume": f"a_{number}", "subject": "a", "coverage": 1.0, "voxels": number} for number in (1, 2, 3)]
    other = {"volume": "b", "subject": "b", "coverage": 0.4, "voxels": 1}
    heads = [scan | {"region": "head", "place": 0, "sd": 1.0} | row for row in (*sessions, other)]
    (head,) = summarise_coverage(pd.DataFrame(heads))["coverage"]
    assert (head["mean"], head["lowest"]) == (0.7, 0.4)
    rows = [
        {"subject": "a", "region": "t2_alone", "place": 1, "voxels": 10, "coverage": 1.0, "sd": 3.0},
        {"subject": "a", "region": "t2_alone", "place": 3, "voxels": 30, "coverage": 0.6, "sd": 1.0},
        {"subject": "a", "region": "around", "place": 1, "voxels": 90, "coverage": 0.9, "sd": 2.0},
        {"subject": "a", "region": "around", "place": 3, "voxels": 90, "coverage": 0.9, "sd": 2.0},
        {"subject": "b", "region": "t2_alone", "place": 1, "voxels": 5, "coverage": 0.5, "sd": 1.0},
    ]
    summary = summarise_coverage(pd.DataFrame([scan | row | {"volume": row["subject"]} for row in rows]))
    inside = next(row for row in summary["coverage"] if row["region"] == "t2_alone")
    assert (inside["mean"], inside["lowest"]) == (pytest.approx((0.7 + 0.5) / 2), 0.5)
    (ratio,) = summary["over_surroundings"]
    assert (ratio["median"], ratio["above"], ratio["places"]) == (1.0, 0.5, 2)


def test_switched_off_it_needs_no_calibration_and_a_guide_is_refused(tmp_path):
    acquisition = Acquisition(make_mask("random", 2), KspaceNoise(0))
    guided = VolumeDataset(volumes(tmp_path, "a"), acquisition, guide=MisregisteredGuide(2))
    Coverage(str(tmp_path), guided, None, enabled="false")
    with pytest.raises(BundleError, match="each pair's own T1: leave out --coverage, or the guide"):
        Coverage(str(tmp_path), guided, None, calibrate=True)


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        *(
            ({"scans": scans}, "list of patterns and accel")
            for scans in ([], [["random"]], [["radial", 4]] * 2, "random")
        ),
        ({"scans": [["rendom", 4]]}, "rendom"),
        *(({"places": places}, "whole number of places above 0") for places in (0, -1, 2.5)),
        ({"structures": {"diameter": 500}}, "40 at most"),
        ({"structures": {"in_t2": -3}}, "from -1 on"),
        ({"structures": {"size": 6}}, "diameter, edge, in_t2, in_t1; not {'size': 6}"),
        ({"structures": 3}, "in_t1; not 3"),
        ({"places": 6.0}, "whole number of places above 0"),
    ],
)
def test_impossible_scans_places_and_structures_are_refused_before_anything_is_reconstructed(tmp_path, wrong, words):
    dataset = VolumeDataset(volumes(tmp_path, "a"), Acquisition(make_mask("random", 2), KspaceNoise(0)))
    weights = SimpleNamespace(record=lambda: {"file": str(tmp_path / "model.pt"), "sha256": "01"})
    with pytest.raises(BundleError, match=words):
        Coverage(str(tmp_path), dataset, weights, calibrate=True, **wrong)
