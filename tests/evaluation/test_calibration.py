"""A calibration is that of these weights and of such scans, or refused; a line tells of scans that it does not know."""

from __future__ import annotations

import json
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest
import torch

from bundle.acquisition import Acquisition, KspaceNoise, SmoothPhase, VariedMask, VariedNoise, make_mask
from bundle.errors import BundleError
from bundle.evaluation.calibration import (
    Calibration,
    calibration_of,
    read_calibration,
    read_calibrations,
)
from bundle.evaluation.coverage_scans import ScanRecord, tell_unlike
from tests.bundle_runs import ROOT

CALIBRATION = Calibration("ab" * 32, {"noise": 0.5, "without_t1": 0.0}, 1.2, 0.9, ["a", "b"], True)


def weights(folder, sha256: str = CALIBRATION.sha256) -> SimpleNamespace:
    return SimpleNamespace(record=lambda: {"file": str(folder / "model.pt"), "sha256": sha256})


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
        (
            json.dumps(vars(CALIBRATION) | {"scanned": {"scans": [["random", 6]]}}),
            "model_uncertainty.json cannot be read",
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


KNOWN = ScanRecord([("random", 3), ("random", 6), ("radial", 3), ("radial", 9)], 0.1, "mean", 0.0, [(256, 256)])


def acquisition(pattern="random", acceleration=3.0, noise=(0.1, "mean"), phase=0.0) -> Acquisition:
    return Acquisition(make_mask(pattern, acceleration), KspaceNoise(*noise), phase=SmoothPhase(phase))


def test_of_a_varied_scan_the_limits_are_judged(caplog):
    noise = VariedNoise((0.0, 0.1))
    tell_unlike(KNOWN, Acquisition(VariedMask(["random", "radial"], (3, 6)), KspaceNoise(0.1)))
    assert not caplog.messages
    tell_unlike(KNOWN, Acquisition(VariedMask(["random", "radial"], (2, 9)), noise))
    assert "has an acceleration of 2 and an acceleration of 9 and noise of 0 to 0.1 (mean): what" in caplog.messages[0]


@pytest.mark.parametrize(
    ("own", "told"),
    [
        ({}, None),
        ({"pattern": "radial", "acceleration": 9}, None),
        ({"acceleration": 9}, "an acceleration of 9"),
        ({"pattern": "fastmri_random", "acceleration": 4}, "masks of another family"),
        ({"noise": (0.2, "mean")}, "noise of 0.2 (mean)"),
        ({"noise": (20, "snr_db")}, "noise of 20 (snr_db)"),
        ({"phase": 0.5, "acceleration": 12}, "an acceleration of 12 and a phase of 0.5 radians"),
    ],
)
def test_a_scan_that_the_calibration_does_not_know_is_told(tmp_path, caplog, own, told):
    for scanned in (None, KNOWN):
        replace(CALIBRATION, scanned=scanned).write(tmp_path / "model_uncertainty.json")
        read_calibrations(weights(tmp_path), acquisition=acquisition(**own))
        assert not caplog.messages or scanned == KNOWN  # an earlier version's, which does not tell
    assert len(caplog.messages) == (told is not None)
    assert told is None or caplog.messages[0] == (
        "The uncertainty was calibrated on other scans (random, radial, 3 to 9x, noise 0.1, phase 0) than this one, "
        f"which has {told}: what its interval holds here was not measured."
    )
