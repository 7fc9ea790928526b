"""Runs of a study: trained and tested by MONAI's workflows in worker processes, one a device, skipped where done.

Each run's folder holds ``last.pt`` and ``model.pt``, ``training.json``, ``conditions/NAME/metrics.csv`` of each
condition, ``log.txt`` with all that its workflows printed, and ``run.json``: what it is, whether it is done, how long
it took, on what. A run that was interrupted goes on from its last whole epoch; a condition that has its metrics is not
tested again, unless the study has changed its settings, which ``conditions/NAME/condition.json`` keeps.
"""

from __future__ import annotations

import json
import multiprocessing
import os
import platform
import sys
import time
import traceback
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from contextlib import contextmanager
from datetime import datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any

import torch
from monai.bundle import ConfigParser, ConfigWorkflow
from tqdm import tqdm

from ..compute.hardware import describe_device
from ..data.datalist import read_datalist
from ..data.prepared import PreparedVolumes
from ..errors import first_bundle_error
from ..outputs import atomic_path
from ..training.weights import BEST, LAST
from .plan import BUNDLE_ROOT, CONFIGS, Dataset, Run, Study

__all__ = ["Runner", "condition_folder", "is_done", "is_tested", "read_record"]

RECORD, TRAINING, CONDITION = "run.json", "training.json", "condition.json"
VERSIONS = ("torch", "monai", "pytorch-ignite", "numpy", "nibabel", "itk")
_own: dict[str, str] = {}  # of a worker process: its device


class Runner:
    """Do what a study asks for and is not done yet.

    Args:
        study: the plan.
        output_dir: of the study; gets ``runs/`` and ``cache/``.
        devices: one worker process each; a device named twice has two, ``("cpu", "cpu")``.
        threads: of each worker on the CPU; None shares the cores among the workers.
    """

    def __init__(
        self, study: Study, output_dir: Path, devices: Sequence[str] = ("cpu",), threads: int | None = None
    ) -> None:
        self.study = study
        self.output_dir = output_dir
        self.devices = list(devices)
        self.threads = threads or max(1, (os.cpu_count() or 1) // len(self.devices))

    def __call__(self, runs: Sequence[Run]) -> int:
        """Do the runs, several at once, with a progress bar; returns how many failed, each with a ``run.json``."""
        waiting = [run for run in runs if not is_done(self.study, run, self.output_dir)]
        tqdm.write(f"{len(runs)} runs, {len(runs) - len(waiting)} of them done before.")
        if not waiting:
            return 0
        with self._pool() as pool:
            try:
                self._prepare(pool, waiting)
                return self._execute(pool, waiting)
            except KeyboardInterrupt:
                pool.shutdown(cancel_futures=True)
                raise

    def _pool(self) -> ProcessPoolExecutor:
        context = multiprocessing.get_context("spawn")  # CUDA cannot be forked
        devices = context.SimpleQueue()
        for device in self.devices:
            devices.put(device)
        # idle threads must not burn the cores that other workers need; before torch loads
        os.environ.setdefault("OMP_WAIT_POLICY", "passive")
        return ProcessPoolExecutor(len(self.devices), context, _start_worker, (devices, self.threads))

    def _prepare(self, pool: ProcessPoolExecutor, runs: Sequence[Run]) -> None:
        """Align and cut all pairs once, before several workers want them at once."""
        names = dict.fromkeys(run.dataset for run in runs)
        tasks = [pool.submit(prepare, self.study, self.study.datasets[name], self.output_dir) for name in names]
        for task in tqdm(as_completed(tasks), "Preparing the datasets", len(tasks), unit="dataset"):
            task.result()

    def _execute(self, pool: ProcessPoolExecutor, runs: Sequence[Run]) -> int:
        tasks = [pool.submit(execute, self.study, run, self.output_dir) for run in runs]
        failed = 0
        for task in tqdm(as_completed(tasks), "Runs", len(tasks), unit="run"):
            record = task.result()
            failed += record["status"] == "failed"
            tqdm.write(_line(record))
        return failed


def _start_worker(devices: multiprocessing.SimpleQueue, threads: int) -> None:
    _own["device"] = devices.get()
    torch.set_num_threads(threads)


def prepare(study: Study, dataset: Dataset, output_dir: Path) -> None:
    """Prepare all pairs of a dataset, whatever list they are in; what training and test then find in the cache."""
    parser = ConfigParser()
    parser.read_config(str(CONFIGS / "train.yaml"))
    parser.update({**study.settings, **dataset.settings, "bundle_root": str(BUNDLE_ROOT)})
    if dataset.dataset_dir is not None:
        parser["dataset_dir"] = dataset.dataset_dir
    datalist = read_datalist(parser.get_parsed_content("dataset_dir"))
    items = [item for group in datalist.values() for item in group]
    PreparedVolumes(items, parser.get_parsed_content("preprocessing"), output_dir / "cache")


def execute(study: Study, run: Run, output_dir: Path) -> dict[str, Any]:
    """Train a run's method and test it under its conditions, each if that is not done; returns its record."""
    folder = output_dir / run.folder
    folder.mkdir(parents=True, exist_ok=True)
    record = {"dataset": run.dataset, "fold": run.fold, "scan": run.scan, "method": run.method, "seed": run.seed}
    record |= {"key": run.key, "folder": run.folder.as_posix(), "status": "done", "error": None}
    record |= {"started": _now(), "device": describe_device(_own["device"]), "versions": _versions()}
    with _output_to(folder / "log.txt"):
        try:
            record |= _train(study, run, output_dir) if study.trains(run.method) else _untrained()
            for condition in study.conditions_of(run):
                summary = _test(study, run, condition, output_dir)
                record.setdefault("metrics", {name: summary["metrics"][name]["mean"] for name in ("psnr", "ssim")})
        except Exception as error:  # one run that fails must not end the others; its record and log tell why
            traceback.print_exc()
            sentence = first_bundle_error(error)
            record |= {"status": "failed", "error": sentence or f"{type(error).__name__}: {error}"}
    record["finished"] = _now()
    _write_json(folder / RECORD, record)
    return record


def _train(study: Study, run: Run, output_dir: Path) -> dict[str, Any]:
    """What ``training.json`` holds, of this training or of an earlier one."""
    folder = output_dir / run.folder
    if not (folder / TRAINING).is_file():
        resumed = (folder / LAST).is_file()
        start = time.perf_counter()
        workflow = _workflow(study, run, output_dir / "cache", "training", {"output_dir": str(folder), "resume": True})
        trainer, network = (workflow.parser.get_parsed_content(name) for name in ("train::trainer", "network_def"))
        training = {"training_seconds": time.perf_counter() - start, "resumed": resumed}
        training |= {"epochs": trainer.state.epoch, "steps": trainer.state.iteration}
        training["parameters"] = sum(parameter.numel() for parameter in network.parameters())
        training["batch_size"] = workflow.parser.get_parsed_content("batch_size")
        training["learning_rate"] = workflow.parser.get_parsed_content("learning_rate")
        _write_json(folder / TRAINING, training)
    return json.loads((folder / TRAINING).read_text())


def _untrained() -> dict[str, Any]:
    return {"training_seconds": 0.0, "resumed": False, "epochs": 0, "steps": 0, "parameters": 0}


def _test(study: Study, run: Run, condition: str, output_dir: Path) -> dict[str, Any]:
    """The summary of an evaluation, of this one or of an earlier one."""
    folder = condition_folder(run, condition, output_dir)
    if not is_tested(study, run, condition, output_dir):
        (folder / CONDITION).unlink(missing_ok=True)  # what stands there is another test's until this one has ended
        settings: dict[str, Any] = {"output_dir": str(folder), "overwrite": True, "save_at_most": 1}
        settings["save_reconstructions"] = condition == next(iter(study.conditions_of(run)))
        if study.trains(run.method):
            settings["checkpoint"] = str(output_dir / run.folder / (LAST if study.weights == "last" else BEST))
        _workflow(study, run, output_dir / "cache", "evaluating", {**study.conditions_of(run)[condition], **settings})
        _write_json(folder / CONDITION, study.conditions_of(run)[condition])
    return json.loads((folder / "metrics_summary.json").read_text())


def _workflow(study: Study, run: Run, cache_dir: Path, run_id: str, settings: Mapping[str, Any]) -> ConfigWorkflow:
    """Run a bundle's workflow as ``python -m monai.bundle run`` does."""
    files = ["train.yaml"] if run_id == "training" else ["train.yaml", "evaluate.yaml"]
    overrides = {**study.overrides(run), "bundle_root": str(BUNDLE_ROOT), "device": _own["device"]}
    overrides |= {"cache_dir": str(cache_dir), **settings}
    workflow = ConfigWorkflow(
        config_file=[str(CONFIGS / name) for name in files] + study.config_files(run),
        meta_file=str(CONFIGS / "metadata.json"),
        logging_file=str(CONFIGS / "logging.conf"),
        run_id=run_id,
        **overrides,
    )
    workflow.initialize()
    workflow.run()
    workflow.finalize()
    return workflow


def condition_folder(run: Run, condition: str, output_dir: Path) -> Path:
    """Where a test of a run's network leaves its metrics."""
    return output_dir / run.folder / "conditions" / condition


def read_record(run: Run, output_dir: Path) -> dict[str, Any] | None:
    """A run's ``run.json``; None where there is none."""
    path = output_dir / run.folder / RECORD
    return json.loads(path.read_text()) if path.is_file() else None


def is_tested(study: Study, run: Run, condition: str, output_dir: Path) -> bool:
    """Whether a run's network was tested under a condition with the settings that the study gives it now."""
    path = condition_folder(run, condition, output_dir) / CONDITION
    return path.is_file() and json.loads(path.read_text()) == study.conditions_of(run)[condition]


def is_done(study: Study, run: Run, output_dir: Path) -> bool:
    """Whether a run ended well and was tested under all its conditions."""
    record = read_record(run, output_dir)
    ended_well = record is not None and record["status"] == "done"
    return ended_well and all(is_tested(study, run, name, output_dir) for name in study.conditions_of(run))


@contextmanager
def _output_to(path: Path) -> Iterator[None]:
    """Append to a file all that this process prints: also logging and progress bars, so by descriptor."""
    saved = {number: os.dup(number) for number in (1, 2)}
    try:
        with path.open("a", encoding="utf-8") as log:
            for number in saved:
                os.dup2(log.fileno(), number)
            yield
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        for number, copy in saved.items():
            os.dup2(copy, number)
            os.close(copy)


def _line(record: Mapping[str, Any]) -> str:
    name = ", ".join(str(record[key]) for key in ("dataset", "scan", "method"))
    fold = "" if record["fold"] is None else f", fold {record['fold']}"
    name += f"{fold}, seed {record['seed']}"
    if record["status"] == "failed":
        return f"{name}: failed: {record['error']} ({record['folder']}/log.txt)"
    metrics = record["metrics"]
    return f"{name}: PSNR {metrics['psnr']:.2f} dB, SSIM {metrics['ssim']:.4f}; {record['training_seconds']:.0f} s"


def _versions() -> dict[str, str]:
    return {"python": platform.python_version()} | {name: version(name) for name in VERSIONS}


def _now() -> str:
    return datetime.now().astimezone().isoformat(timespec="seconds")


def _write_json(path: Path, content: Mapping[str, Any]) -> None:
    with atomic_path(path) as temporary:
        temporary.write_text(json.dumps(content, indent=2) + "\n", encoding="utf-8")
