"""Training, evaluation and inference through MONAI's entry points, on small NIfTI pairs."""

from __future__ import annotations

import csv
import hashlib
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest
import torch
import yaml

from bundle.evaluation.calibration import Calibration
from bundle.evaluation.metrics import METRICS
from bundle.training.weights import BEST, LAST
from tests.bundle_runs import ROOT, TINY, command, run, run_command, sentence_of
from tests.early import Early, new_folder
from tests.nifti_pairs import write_dataset, write_pair

UNCERTAINTY = "model_uncertainty.json"
QUIET = [word for key, value in TINY.items() if key != "epochs" for word in (f"--{key}", str(value))]


@pytest.fixture(scope="module")
def dataset_dir(tmp_path_factory) -> Path:
    """With a mask of the test subject's ventricles, in place of lesions."""
    folder = write_dataset(tmp_path_factory.mktemp("data"))
    datalist = json.loads((folder / "datalist.json").read_text())
    t2 = nib.load(folder / datalist["test"][0]["t2"])
    nib.save(nib.Nifti1Image((t2.get_fdata() > 400).astype(np.uint8), t2.affine), folder / "ventricles.nii")
    datalist["test"][0]["lesions"] = "ventricles.nii"
    (folder / "datalist.json").write_text(json.dumps(datalist))
    return folder


@pytest.fixture(scope="module")
def cache_dir(tmp_path_factory) -> Path:
    return tmp_path_factory.mktemp("cache")


@pytest.fixture(scope="module")
def trained(dataset_dir, cache_dir, tmp_path_factory) -> Path:
    output_dir = tmp_path_factory.mktemp("out") / "trained"
    run("training", **TINY, dataset_dir=str(dataset_dir), output_dir=str(output_dir), cache_dir=str(cache_dir))
    return output_dir


@pytest.fixture(scope="module")
def evaluated(trained, dataset_dir, cache_dir) -> Path:
    sha256 = hashlib.sha256((trained / BEST).read_bytes()).hexdigest()
    Calibration(sha256, {"unseen": 0.01, "without_t1": 1.0}, 1.0, 0.9, ["a"], True).write(trained / UNCERTAINTY)
    evaluate(trained, dataset_dir, cache_dir, device="cpu", save_reconstructions=True)
    return trained


def evaluate(output_dir: Path, dataset_dir: Path, cache_dir: Path, **settings) -> None:
    """All that an evaluation can measure."""
    run(
        "evaluating",
        "configs/trust.yaml",
        image_size=32,
        dataset_dir=str(dataset_dir),
        output_dir=str(output_dir),
        cache_dir=str(cache_dir),
        **{"inserted::diameters": [8, 16], "inserted::contrasts": [[0.5, -0.2]], "inserted::places": 2},
        **{"covered::scans": [["random", 4], ["radial", 4]], "covered::places": 2},
        **settings,
    )


def weights(folder: Path, name: str = BEST) -> dict[str, torch.Tensor]:
    content = torch.load(folder / name, weights_only=True)
    return content.get("network", content)


def assert_equal_weights(first: dict[str, torch.Tensor], second: dict[str, torch.Tensor]) -> None:
    assert first.keys() == second.keys()
    assert [key for key in first if not torch.equal(first[key], second[key])] == []


def test_training_writes_weights_curves_and_tensorboard(trained):
    assert all(isinstance(value, torch.Tensor) for value in torch.load(trained / BEST, weights_only=True).values())
    assert torch.load(trained / LAST, weights_only=True)["epoch"] == TINY["epochs"]
    assert (trained / "figures" / "training_curves.png").stat().st_size > 10_000
    assert list((trained / "tensorboard").glob("events*"))


def test_the_history_holds_loss_and_both_images_metrics_of_every_epoch(trained):
    history = torch.load(trained / LAST, weights_only=True)["history"]
    assert set(history) == {"loss", *METRICS, *(f"zf_{name}" for name in METRICS)}
    assert all([epoch for epoch, _ in curve] == [1, 2] for curve in history.values())


def test_evaluation_writes_one_row_a_subject_and_a_summary(evaluated):
    with (evaluated / "metrics.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert [row["subject"] for row in rows] == ["d"]
    assert rows[0]["slices"] == "6"
    assert float(rows[0]["sampled_acceleration"]) == pytest.approx(32 / round(32 / 6), abs=1e-3)
    summary = json.loads((evaluated / "metrics_summary.json").read_text())
    assert summary["n"] == 1
    assert summary["settings"]["split"] == "test"
    assert summary["metric_profile"] == "fastmri_volume"
    assert (evaluated / "figures" / "d.png").exists()


def test_evaluation_shows_its_means_in_tensorboard_as_a_run_of_its_own(evaluated):
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    events = EventAccumulator(str(evaluated / "tensorboard" / "test")).Reload()
    metrics = json.loads((evaluated / "metrics_summary.json").read_text())["metrics"]
    assert events.Scalars("val_psnr")[-1].value == pytest.approx(metrics["psnr"]["mean"], rel=1e-4)


def test_evaluation_measures_the_lesions_that_the_datalist_names(evaluated):
    with (evaluated / "lesions.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert [row["subject"] for row in rows] == ["d", "d"]  # left and right
    assert all(float(row["t2_contrast"]) > 1 and 0.1 < float(row["energy_sampled"]) < 0.9 for row in rows)
    assert json.loads((evaluated / "lesions_summary.json").read_text())["lesions"]["d"][0]["lesions"] == 2


def test_evaluation_inserts_structures_and_tells_how_much_of_them_is_seen(evaluated):
    with (evaluated / "structures.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert [(row["where"], row["diameter_mm"]) for row in rows[::2]] == [
        (where, size) for size in ("8", "16") for where in ("t2", "t1", "both")
    ]
    assert all(0 < float(row["zf_survives"]) < 1 for row in rows if row["where"] == "t2")
    summary = json.loads((evaluated / "structures_summary.json").read_text())
    assert (summary["places"], len(summary["structures"])) == (2, 6)
    assert (evaluated / "figures" / "structures.png").exists()


def test_the_overlay_for_trust_writes_uncertainty_and_its_coverage_beside_the_rest(evaluated):
    deviation, recon = (
        nib.load(evaluated / "reconstructions" / f"d_{kind}.nii.gz") for kind in ("uncertainty", "recon")
    )
    np.testing.assert_array_equal(deviation.affine, recon.affine)
    assert (deviation.get_fdata() >= 0).all() and deviation.get_fdata().max() < 10 * recon.get_fdata().max()
    with (evaluated / "coverage.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert {(row["pattern"], row["acceleration"]) for row in rows} == {("random", "4"), ("radial", "4")}
    assert {"head", "edges", "t2_alone", "t1_alone", "around", "background"} == {row["region"] for row in rows}
    for name in ("d_uncertainty", "coverage", "structures", "lesions"):
        assert (evaluated / "figures" / f"{name}.png").stat().st_size > 10_000


def test_anybody_can_compute_the_metrics_from_the_saved_reconstructions(evaluated):
    with (evaluated / "metrics.csv").open() as file:
        row = next(csv.DictReader(file))
    images = {
        kind: nib.load(evaluated / "reconstructions" / f"d_{kind}.nii.gz")
        for kind in ("recon", "reference", "zero_filled")
    }
    volumes = {kind: torch.from_numpy(image.get_fdata()) for kind, image in images.items()}
    for name, metric in METRICS.items():
        assert float(metric(volumes["recon"], volumes["reference"])) == pytest.approx(float(row[name]), rel=1e-3)
        zero_filled = float(metric(volumes["zero_filled"], volumes["reference"]))
        assert zero_filled == pytest.approx(float(row[f"zf_{name}"]), rel=1e-3)


def test_evaluation_twice_gives_the_same_figures(evaluated, dataset_dir, cache_dir, tmp_path):
    run(
        "evaluating",
        image_size=32,
        device="cpu",
        dataset_dir=str(dataset_dir),
        output_dir=str(tmp_path),
        cache_dir=str(cache_dir),
        checkpoint=str(evaluated / BEST),
    )
    assert (tmp_path / "metrics.csv").read_text() == (evaluated / "metrics.csv").read_text()


@pytest.mark.parametrize("image_size", [32, [16, 48]])
def test_inference_returns_t2s_grid_and_intensities(tmp_path, image_size):
    t1, t2 = write_pair(tmp_path / "with space é" / "$a@b%c", "πατ 1")
    run(
        "inference",
        t1=t1,
        t2=t2,
        output_dir=str(tmp_path / "out"),
        device="cpu",
        image_size=image_size,
    )
    source, result = nib.load(t2), nib.load(tmp_path / "out" / "πατ 1-T2_recon.nii.gz")
    assert result.shape == source.shape
    assert result.get_data_dtype() == np.float32
    np.testing.assert_allclose(result.affine, source.affine, atol=1e-5)
    assert 0.8 < result.get_fdata().mean() / source.get_fdata().mean() < 1.25
    written = sorted(path.name for path in (tmp_path / "out").iterdir())
    assert written == ["πατ 1-T2_recon.json", "πατ 1-T2_recon.nii.gz"]


@pytest.mark.parametrize("run_id", ["evaluating", "inference"])
def test_t1_is_registered_to_a_reconstruction_that_was_made_without_it(dataset_dir, tmp_path, run_id):
    settings = {
        "dataset_dir": str(dataset_dir),
        "checkpoint": str(ROOT / "models/model.pt"),
        "device": "cpu",
        "image_size": 32,
        "acceleration": 9,
    }
    for name, image in (("out", "reconstruction"), ("other", "acquired"), ("again", "acquired")):
        run(run_id, **settings, output_dir=str(tmp_path / name), register_to=image)
    out, other, again = (information_before(tmp_path / name) for name in ("out", "other", "again"))
    assert again == other  # with the same image it is the same number
    assert out != pytest.approx(other, rel=0.005)


def information_before(folder: Path) -> float:
    """The mutual information by the headers, of what a run with one subject reports."""
    if (folder / "metrics.csv").exists():
        rows = csv.DictReader((folder / "metrics.csv").read_text().splitlines())
        return float(next(rows)["t1_mutual_information_before"])
    return json.loads((folder / "d_recon.json").read_text())["alignment"]["mutual_information_before"]


def test_a_resumed_training_equals_an_uninterrupted_one(trained, dataset_dir, cache_dir, tmp_path):
    settings = TINY | {"dataset_dir": str(dataset_dir), "cache_dir": str(cache_dir)}
    run("training", **settings | {"epochs": 1}, output_dir=str(tmp_path))
    run("training", **settings, output_dir=str(tmp_path), resume=True)
    for name in (BEST, LAST):
        assert_equal_weights(weights(tmp_path, name), weights(trained, name))


@pytest.mark.slow
def test_the_number_of_workers_does_not_change_the_training(trained, dataset_dir, cache_dir, tmp_path):
    run(
        "training",
        **TINY | {"num_workers": 2},
        dataset_dir=str(dataset_dir),
        output_dir=str(tmp_path),
        cache_dir=str(cache_dir),
    )
    assert_equal_weights(weights(tmp_path, LAST), weights(trained, LAST))


def test_a_training_whose_loss_is_not_finite_stops_with_a_sentence(dataset_dir, cache_dir, tmp_path):
    with pytest.raises(Exception) as raised:
        run(
            "training",
            **TINY,
            learning_rate=1e38,
            dataset_dir=str(dataset_dir),
            output_dir=str(tmp_path),
            cache_dir=str(cache_dir),
        )
    assert "lower learning_rate" in sentence_of(raised.value)
    assert not (tmp_path / LAST).exists()


@pytest.fixture
def one_thread() -> Iterator[None]:
    """As the processes that a test starts have: sums in another order are other weights."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


@Early
def stepped() -> Path:
    """A folder with ``data``, their ``cache``, ``one`` and ``two``: the first step of one process, and of two with half
    of its batch each.
    """
    folder = new_folder()
    # by plain gradient descent: Adam's first step is the gradient's sign, also of one that is zero but for rounding
    descent = {"_target_": "torch.optim.SGD", "params": "$@network.parameters()", "lr": 0.05}
    overlay = folder / "descent.yaml"
    overlay.write_text(yaml.safe_dump({"train::optimizer": descent, "train::trainer::epoch_length": 1}))
    # 1e-4 is a claim about float32
    settings = [*QUIET, "--epochs", "1", "--amp", "false"]
    settings += ["--dataset_dir", str(write_dataset(folder / "data")), "--cache_dir", str(folder / "cache")]
    launch = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc_per_node=2"]
    launch += [f"--log-dir={folder}"]
    for name, batch, overlays in (("one", "8", []), ("two", "4", ["configs/multi_gpu.yaml"])):
        arguments = [*settings, "--output_dir", str(folder / name), "--batch_size", batch]
        line = command("training", *arguments, configs=["configs/train.yaml", *overlays, str(overlay)])
        result = run_command(line if name == "one" else launch + line[1:])
        assert result.returncode == 0, result.stderr[-3000:]
    return folder


@Early
def killed() -> Path:
    """The folder of :func:`stepped` with, in ``out``, what a training wrote that was killed."""
    folder = stepped()
    arguments = ["--dataset_dir", str(folder / "data"), "--cache_dir", str(folder / "cache"), *QUIET]
    with subprocess.Popen(
        command("training", *arguments, "--epochs", "100", "--output_dir", str(folder / "out")),
        cwd=ROOT,
        env=os.environ | {"OMP_NUM_THREADS": "1"},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    ) as process:
        deadline = time.monotonic() + 300
        while not (folder / "out" / LAST).exists() and time.monotonic() < deadline:
            time.sleep(0.02)
        process.send_signal(signal.SIGKILL)
    return folder


@pytest.mark.slow
@pytest.mark.needs(killed)
@pytest.mark.usefixtures("one_thread")
def test_a_killed_training_goes_on_from_its_last_checkpoint(tmp_path, capfd):
    folder = killed()
    epoch = torch.load(folder / "out" / LAST, weights_only=True)["epoch"]
    assert 1 <= epoch < 100
    settings = TINY | {"epochs": epoch + 1, "dataset_dir": str(folder / "data"), "cache_dir": str(folder / "cache")}
    run("training", **settings, output_dir=str(tmp_path))
    run("training", **settings, output_dir=str(folder / "out"), resume=True)
    assert "Resumed from" in "".join(capfd.readouterr())
    assert_equal_weights(weights(tmp_path, LAST), weights(folder / "out", LAST))


@pytest.mark.slow
@pytest.mark.needs(stepped)
def test_a_step_of_two_processes_is_that_of_one_with_the_joint_batch():
    separate, joint = (weights(stepped() / name, LAST) for name in ("two", "one"))
    assert separate.keys() == joint.keys()
    for name, value in joint.items():
        # sums in another order gave 3e-5; variances of up to 40, of few values at the bottom
        tolerance = 1e-3 if "running" in name else 1e-4
        torch.testing.assert_close(separate[name], value, rtol=tolerance, atol=tolerance, msg=name)


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
def test_a_gpu_trains_validates_evaluates_and_reconstructs_what_the_cpu_does(
    evaluated, dataset_dir, cache_dir, tmp_path
):
    own = {"dataset_dir": str(dataset_dir), "cache_dir": str(cache_dir)}
    run("training", **TINY | {"device": "cuda", "amp": False}, **own, output_dir=str(tmp_path / "trained"))
    assert np.isfinite([value for _, value in torch.load(tmp_path / "trained" / LAST)["history"]["zf_psnr"]]).all()

    checkpoint = str(evaluated / BEST)
    evaluate(tmp_path / "evaluated", dataset_dir, cache_dir, device="cuda", checkpoint=checkpoint, amp=False)
    means = [
        [metric["mean"] for metric in json.loads((folder / "metrics_summary.json").read_text())["metrics"].values()]
        for folder in (tmp_path / "evaluated", evaluated)
    ]
    np.testing.assert_allclose(*means, rtol=1e-3)

    images = []
    for on in ("cuda", "cpu"):
        settings = {"device": on, "checkpoint": checkpoint, "image_size": 32, "amp": False, "check_guide": True}
        run("inference", **settings, dataset_dir=str(dataset_dir), output_dir=str(tmp_path / f"on_{on}"))
        images.append(nib.load(next((tmp_path / f"on_{on}").glob("*_recon.nii.gz"))).get_fdata())
    np.testing.assert_allclose(*images, atol=2e-3 * images[1].max())
