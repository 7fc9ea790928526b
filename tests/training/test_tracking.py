"""MONAI's ``--tracking mlflow`` as it is: all three runs in a local database, which has what TensorBoard has."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import torch
from monai.bundle import ConfigParser
from monai.handlers import from_engine
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from bundle.training.tracking import _settings, _without_tuple, prepare_tracking
from tests.bundle_runs import CONFIGS, ROOT, TINY, run
from tests.nifti_pairs import write_dataset


def test_the_loss_is_a_number_whether_batches_are_taken_apart_or_not():
    loss = _without_tuple(from_engine(["loss"], first=True))  # as MONAI's default settings have it
    assert loss({"loss": torch.tensor(3.0)}) == loss([{"loss": torch.tensor(3.0)}]) == 3
    both = _without_tuple(from_engine(["loss", "pred"]))
    assert both({"loss": 1, "pred": 2}) == (1, 2)


def test_without_tracking_nothing_happens(tmp_path):
    prepare_tracking([object()], tmp_path / "out", ["a.csv"])
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("weights", "of_it", "of_another"), [("manet", "channels", "cascades"), ("model", "cascades", "channels")]
)
def test_the_parameters_of_an_evaluation_are_those_of_its_own_network(weights, of_it, of_another, tmp_path):
    parser = ConfigParser()
    parser.read_config([str(ROOT / name) for name in CONFIGS["evaluating"]])
    parser.update({"bundle_root": str(ROOT), "output_dir": str(tmp_path), "dataset_dir": str(tmp_path)})
    parser.update({"checkpoint": str(ROOT / "models" / f"{weights}.pt")})
    settings = _settings(parser)
    assert of_it in settings and of_another not in settings and settings["acceleration"] == 6


@pytest.fixture(scope="module")
def tracked(tmp_path_factory) -> Path:
    """Trained, evaluated and reconstructed with ``--tracking mlflow``."""
    pytest.importorskip("mlflow", reason="the extra `tracking` is not installed")
    folder = tmp_path_factory.mktemp("tracked")
    where = {"dataset_dir": str(write_dataset(folder / "data")), "output_dir": str(folder / "run größer")}
    where |= {"cache_dir": str(folder / "cache"), "tracking": "mlflow"}
    run("training", **TINY, **where)
    run("evaluating", image_size=32, device="cpu", **where)
    run("inference", image_size=32, device="cpu", **where, run_name="mine")
    return folder / "run größer"


def runs_of(folder: Path) -> tuple[Any, dict[str, Any]]:
    """MLflow's client, and its runs by the first word of their names."""
    from mlflow import MlflowClient

    client = MlflowClient(tracking_uri=f"sqlite:///{folder}/mlruns.db")
    found = client.search_runs([experiment.experiment_id for experiment in client.search_experiments()])
    return client, {run.info.run_name.split("_")[0]: run for run in found}


@pytest.mark.slow
def test_each_run_is_one_of_mlflows_with_its_settings_and_ends(tracked):
    _, runs = runs_of(tracked)
    assert runs.keys() == {"training", "evaluating", "mine"}
    assert all(run.info.status == "FINISHED" for run in runs.values())
    assert all(run.data.params["acceleration"] == "6" for run in runs.values())
    assert runs["training"].data.params["batch_size"] == "4" and runs["training"].data.params["max_epochs"] == "2"


@pytest.mark.slow
def test_mlflow_and_tensorboard_show_the_same_curves(tracked):
    client, runs = runs_of(tracked)
    events = EventAccumulator(str(tracked / "tensorboard")).Reload()
    for name, tag in {"train_loss": "loss", "val_psnr": "val_psnr", "val_zf_ssim": "val_zf_ssim"}.items():
        points = {point.step: point.value for point in client.get_metric_history(runs["training"].info.run_id, name)}
        assert points == pytest.approx({event.step: event.value for event in events.Scalars(tag)}, rel=1e-6)
        assert len(points) >= TINY["epochs"]


@pytest.mark.slow
def test_mlflow_has_the_evaluations_means_and_tables_and_no_image_of_a_patient(tracked):
    client, runs = runs_of(tracked)
    means = json.loads((tracked / "metrics_summary.json").read_text())["metrics"]
    assert runs["evaluating"].data.metrics["val_psnr"] == pytest.approx(means["psnr"]["mean"], rel=1e-4)
    files = {name: [file.path for file in client.list_artifacts(run.info.run_id)] for name, run in runs.items()}
    assert files == {
        "training": ["training_curves.png"],
        "evaluating": ["metrics.csv", "metrics_summary.json"],
        "mine": [],
    }
