"""The interval holds what was promised, of subjects like those that it was calibrated on, by these weights alone."""

from __future__ import annotations

import json
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest
import torch

from bundle.errors import BundleError
from bundle.evaluation.calibration import (
    Calibration,
    calibration_of,
    conformal_factor,
    fit_parts,
    half_width,
    read_calibration,
    read_calibrations,
)
from tests.bundle_runs import ROOT

CALIBRATION = Calibration("ab" * 32, {"noise": 0.5, "without_t1": 0.0}, 1.2, 0.9, ["a", "b"], True)


def weights(folder, sha256: str = CALIBRATION.sha256) -> SimpleNamespace:
    return SimpleNamespace(record=lambda: {"file": str(folder / "model.pt"), "sha256": sha256})


def subject(rng: np.random.Generator, voxels: int = 200) -> np.ndarray:
    """|error| over standard deviation; subjects differ in how much too small the latter is."""
    return np.abs(rng.laplace(0, rng.uniform(0.5, 2), voxels))


def test_nine_new_subjects_of_ten_have_nine_errors_of_ten_in_the_interval():
    rng, enough = np.random.default_rng(0), []
    for _ in range(300):
        factor = conformal_factor([[subject(rng)] for _ in range(19)])
        enough.append(np.mean(subject(rng) <= factor * half_width()) >= 0.9)
    assert 0.87 < np.mean(enough) < 0.95  # by the theorem 0.9 to 0.95


def test_the_worst_scan_of_a_subject_decides_and_of_too_few_subjects_the_worst():
    ratios = [[scale * np.linspace(0, 1, 1001) for scale in scales] for scales in ((1.0, 3.0), (1.0,), (2.0, 0.5))]
    assert conformal_factor(ratios) * half_width() == pytest.approx(3 * 0.9)
    assert half_width() == pytest.approx(1.6449, abs=1e-4)


def test_parts_are_found_again_and_what_tells_nothing_gets_little():
    rng = np.random.default_rng(1)
    squares = [rng.uniform(0, 1, (4000, 3)) for _ in range(3)]
    parts = np.array([2.0, 0.5, 0.0])
    errors = [np.abs(rng.laplace(0, np.sqrt(square @ parts))) for square in squares]
    assert fit_parts(errors, squares) == pytest.approx(parts, abs=0.15)


def test_a_spread_of_weight_zero_is_not_asked_for():
    assert CALIBRATION.spreads == ["noise"]
    assert float(CALIBRATION.deviation({"noise": np.float64(8)})) == pytest.approx(1.2 * 2)


def test_it_is_read_from_beside_its_weights_and_only_where_it_is_asked_for(tmp_path):
    CALIBRATION.write(tmp_path / "model_uncertainty.json")
    assert read_calibrations(weights(tmp_path)) == [CALIBRATION]
    assert read_calibrations(weights(tmp_path / "elsewhere"), "false", ["t1"], True) == []
    with pytest.raises(BundleError, match=r"that of T2's reconstruction, and visible \['t1'\] hides T2; leave out"):
        read_calibrations(weights(tmp_path), visible=["t1"])


def test_scans_without_t1_have_a_calibration_of_their_own(tmp_path):
    CALIBRATION.write(tmp_path / "model_uncertainty.json")
    for asked in ({"visible": ["t2"]}, {"visible": "t2", "check_guide": True}, {"check_guide": True}):
        with pytest.raises(BundleError, match="no calibration for T2 alone, which would be .*y_t2.json"):
            read_calibrations(weights(tmp_path), **asked)
    alone = replace(CALIBRATION, parts={"noise": 0.5}, factor=2.0)
    alone.write(tmp_path / "model_uncertainty_t2.json")
    assert read_calibrations(weights(tmp_path), visible=["t2"]) == [alone]
    both = read_calibrations(weights(tmp_path), check_guide=True)
    image = torch.ones(4, 8, 8, 2)
    assert calibration_of(both, image) == CALIBRATION
    image[:2] = 0  # T1 left out
    assert calibration_of(both, image) == alone


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (None, "have no calibration, which would be .*model_uncertainty.json; calibrate them as docs/uncertainty.md"),
        ("{", "model_uncertainty.json cannot be read"),
        ('{"parts": {}}', "model_uncertainty.json cannot be read"),
        (json.dumps(vars(CALIBRATION) | {"parts": 3}), "model_uncertainty.json cannot be read"),
        (json.dumps(vars(CALIBRATION) | {"parts": {"noise": -1.0}}), "model_uncertainty.json cannot be read"),
        (json.dumps(vars(CALIBRATION) | {"factor": float("nan")}), "model_uncertainty.json cannot be read"),
        (json.dumps(vars(CALIBRATION) | {"coverage": 1}), "model_uncertainty.json cannot be read"),
        (json.dumps(vars(CALIBRATION) | {"parts": {"noise": 0}}), "model_uncertainty.json cannot be read"),
        (
            json.dumps(vars(CALIBRATION) | {"parts": {"noise": 1.0, "left_out": 1.0}}),
            "of another version of this bundle, and has left_out, not noise, edges, unseen, without_t1; calibrate",
        ),
        (
            json.dumps(vars(CALIBRATION) | {"parts": {"noise": 1.0}}),
            "y.json is of scans of T2 alone, and these are not; calibrate",
        ),
        (json.dumps(vars(CALIBRATION)), "is of other weights than .*model.pt .SHA-256 abababababab, not 000000000000"),
    ],
)
def test_weights_without_a_calibration_of_theirs_are_refused(tmp_path, content, said):
    if content is not None:
        (tmp_path / "model_uncertainty.json").write_text(content)
    with pytest.raises(BundleError, match=said):
        read_calibration(weights(tmp_path, "0" * 64))
    with pytest.raises(BundleError, match="A method without weights has no calibration"):
        read_calibration(None)


def test_the_shipped_weights_have_theirs_with_t1_and_without_and_no_validation_subject_is_in_them():
    provenance = json.loads((ROOT / "models" / "model.json").read_text())
    found, alone = read_calibrations(weights(ROOT / "models", provenance["sha256"]), check_guide=True)
    assert found.subjects == alone.subjects and found.trained_on and alone.trained_on
    assert "without_t1" in found.spreads and "without_t1" not in alone.parts
    assert not {"patient03", "patient26"} & set(found.subjects)
