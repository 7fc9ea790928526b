"""The report beside each reconstruction: how T1 was aligned, and what the image was made from."""

from __future__ import annotations

import json
import logging
from dataclasses import replace
from types import SimpleNamespace

import pytest
import torch
from ignite.engine import Engine

from bundle.errors import BundleError
from bundle.evaluation import ReconstructionReports
from tests.conftest import ALIGNMENT

MASK = torch.ones(8, 8, dtype=torch.bool)
MASK[:, ::2] = False


def report(volumes, folder, weights=None) -> None:
    engine = Engine(lambda engine, batch: batch)
    settings = {"pattern": "random", "image_size": [32, 48]}
    ReconstructionReports(str(folder), volumes, settings, weights).attach(engine)
    engine.run([[{"index": index, "mask": MASK}] for index in range(len(volumes))], max_epochs=1)


def test_report_holds_files_alignment_scan_and_weights(make_volumes, tmp_path):
    volumes = [replace(volume, session="ses-1") for volume in make_volumes(count=2)]
    weights = {"file": str(tmp_path / "model.pt"), "network": "MANet", "sha256": "0123"}
    report(volumes, tmp_path, SimpleNamespace(record=lambda: weights))
    assert {path.name for path in tmp_path.glob("*.json")} == {"s0_ses-1_recon.json", "s1_ses-1_recon.json"}
    assert json.loads((tmp_path / "s0_ses-1_recon.json").read_text()) == {
        "subject": "s0",
        "session": "ses-1",
        "files": {"t1": "0-1.nii", "t2": "0-2.nii"},
        "reconstruction": "s0_ses-1_recon.nii.gz",
        "alignment": ALIGNMENT,
        "sampled_acceleration": 2.0,
        "effective_acceleration": 2.0,
        "settings": {"pattern": "random", "image_size": [32, 48]},
        "weights": weights,
    }


def test_whether_t1_was_registered_is_logged_in_one_line_a_volume(make_volumes, tmp_path, caplog):
    volumes = list(make_volumes(count=2))
    with caplog.at_level(logging.INFO, "bundle.evaluation.reports"):
        report([volumes[0], replace(volumes[1], alignment={})], tmp_path)
    told = [record.getMessage() for record in caplog.records if record.name == "bundle.evaluation.reports"]
    assert told == ["s0_recon.nii.gz: T1 registered", "s1_recon.nii.gz: T1 was not registered"]


def test_an_uncertainty_of_an_earlier_run_is_told_of_beside_a_reconstruction_without(make_volumes, tmp_path, caplog):
    (tmp_path / "s0_uncertainty.nii.gz").touch()
    report(make_volumes(count=2), tmp_path)
    (warning,) = [record.getMessage() for record in caplog.records if record.levelname == "WARNING"]
    assert warning.endswith("s0_uncertainty.nii.gz is of an earlier run, not of this reconstruction; delete it")


def test_folder_that_cannot_be_written_is_named(make_volumes, tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(BundleError, match="s0_recon.json"):
        report(make_volumes(count=1), tmp_path / "file" / "out")


def test_path_that_no_encoding_can_decode_stands_in_the_report_as_jsons_own_escape(make_volumes, tmp_path):
    name = b"s\xe4g.nii".decode("utf-8", "surrogateescape")
    report([replace(make_volumes(count=1)[0], files={"t1": name, "t2": "2.nii"})], tmp_path)
    assert json.loads((tmp_path / "s0_recon.json").read_text(encoding="utf-8"))["files"]["t1"] == name


@pytest.mark.parametrize(("error", "used"), [(0.8, True), (1.2, False)])
def test_a_check_of_t1_stands_in_the_report(make_volumes, tmp_path, error, used):
    item = {"index": torch.tensor(0), "mask": MASK, "guide_error": torch.tensor(error, dtype=torch.float64)}
    told = ReconstructionReports(str(tmp_path), make_volumes(), {}).report_of(item)
    assert told["guide_check"] == {"error_with_t1_over_without": error, "t1_used": used}
