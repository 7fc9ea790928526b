"""A run of a study, done in a process of its own (``runner.py`` starts it), and what it leaves in its folder.

The folder holds ``last.pt`` and ``model.pt``, ``training.json``, ``conditions/NAME/metrics.csv`` of each condition,
``log.txt`` with all that its workflows printed, and ``run.json``: what it is, whether it is done, how long it took, on
what. A run that was interrupted goes on from its last whole epoch; a condition that has its metrics is not tested
again, unless the study has changed its settings, which ``conditions/NAME/condition.json`` keeps.
"""

from __future__ import annotations

import json
import os
import pickle
import platform
import signal
import sys
import threading
import time
import traceback
from collections.abc import Mapping
from importlib.metadata import version
from pathlib import Path
from typing import Any

import pandas as pd
import torch
from monai.bundle import ConfigWorkflow

from ..compute.hardware import describe_device
from ..errors import BundleError, errors_in_a_sentence, first_bundle_error
from ..evaluation.metrics import METRICS
from ..outputs import write_text
from ..settings.shipped import CONFIGS
from ..training.weights import BEST, LAST
from .configs import config_of, parser_of
from .plan import Run, Study
from .sections import BUNDLE_ROOT

__all__ = ["COLUMNS", "collect", "execute", "is_done", "prepare", "read_record", "write_record"]

CLOCK = "%Y-%m-%dT%H:%M:%S%z"
PACKAGES = ("torch", "monai", "pytorch-ignite", "numpy", "nibabel", "itk")
RECORD, TRAINING, CONDITION = "run.json", "training.json", "condition.json"
MEASURED = ["subject", "slices", "sampled_acceleration", *METRICS]
COLUMNS = ["dataset", "scan", "method", "condition", "seed", "fold", *MEASURED]
COLUMNS += ["parameters", "seconds_per_slice", "training_seconds", "folder"]


def read_record(run: Run, output_dir: Path) -> dict[str, Any]:
    """A run's ``run.json``; where there is none yet, what it is, with the status ``missing``."""
    return run.record("missing") | _read_json(output_dir / run.folder / RECORD)


def write_record(run: Run, output_dir: Path, record: Mapping[str, Any]) -> None:
    """Write a run's ``run.json``, as :func:`write_text` does."""
    _write_json(output_dir / run.folder / RECORD, record)


def is_done(study: Study, run: Run, output_dir: Path) -> bool:
    """Whether a run ended well and was tested under all its conditions."""
    ended_well = read_record(run, output_dir)["status"] == "done"
    return ended_well and all(_is_tested(study, run, name, output_dir) for name in study.conditions_of(run))


def collect(study: Study, output_dir: Path) -> pd.DataFrame:
    """One row a tested subject, of all tests that there are; the columns are :data:`COLUMNS`."""
    tests = [(run, condition) for run in study.runs() for condition in study.conditions_of(run)]
    tables = [_results(*test, output_dir) for test in tests if _is_tested(study, *test, output_dir)]
    return pd.concat(tables, ignore_index=True)[COLUMNS] if tables else pd.DataFrame(columns=COLUMNS)


def execute(study: Study, run: Run, output_dir: Path, device: str | None) -> None:
    """Train a run's method and test it under its conditions, each if that is not done; write its record."""
    device = device or ("cuda:0" if torch.cuda.is_available() else "cpu")
    versions = {"python": platform.python_version()} | {name: version(name) for name in PACKAGES}
    record = run.record("done") | {
        "started": time.strftime(CLOCK),
        "device": describe_device(device),
        "versions": versions,
    }
    workflows = _Workflows(study, run, output_dir, device)
    try:
        record |= workflows.train()
        for condition in study.conditions_of(run):
            metrics = workflows.test(condition)
            record.setdefault("metrics", {name: metrics[name]["mean"] for name in ("psnr", "ssim")})
    except Exception as error:  # the record tells it in a sentence, the log in full
        traceback.print_exc()
        record |= {"status": "failed", "error": first_bundle_error(error) or f"{type(error).__name__}: {error}"}
    write_record(run, output_dir, record | {"finished": time.strftime(CLOCK)})


def prepare(study: Study, run: Run, output_dir: Path) -> None:
    """Put into the study's cache what a run reads; BundleError where a pair cannot be prepared."""
    with errors_in_a_sentence():
        _Workflows(study, run, output_dir, "cpu").prepare()


class _Workflows:
    """The bundle's workflows with a run's settings."""

    def __init__(self, study: Study, run: Run, output_dir: Path, device: str) -> None:
        self.study, self.run, self.output_dir, self.folder = study, run, output_dir, output_dir / run.folder
        self.overrides = study.overrides(run) | {"bundle_root": str(BUNDLE_ROOT), "device": device}
        self.overrides["cache_dir"] = str(output_dir / "cache")

    def train(self) -> dict[str, Any]:
        """What ``training.json`` holds, of this training or of an earlier one."""
        if not self.study.trains(self.run.method):
            return {"training_seconds": 0.0, "resumed": False, "epochs": 0, "steps": 0, "parameters": 0}
        if not (self.folder / TRAINING).is_file():
            resumed, start = (self.folder / LAST).is_file(), time.perf_counter()
            parser = self._go("training", output_dir=str(self.folder), resume=resumed, overwrite=True).parser
            training = {"training_seconds": time.perf_counter() - start, "resumed": resumed}
            trainer, network = (parser.get_parsed_content(name) for name in ("train::trainer", "network_def"))
            training |= {"epochs": trainer.state.epoch, "steps": trainer.state.iteration}
            training["parameters"] = sum(parameter.numel() for parameter in network.parameters())
            training |= {name: parser.get_parsed_content(name) for name in ("batch_size", "learning_rate")}
            _write_json(self.folder / TRAINING, training)
        return _read_json(self.folder / TRAINING)

    def test(self, condition: str) -> dict[str, Any]:
        """The metrics' means, of this evaluation or of an earlier one."""
        folder, conditions = self.folder / "conditions" / condition, self.study.conditions_of(self.run)
        if not _is_tested(self.study, self.run, condition, self.output_dir):
            (folder / CONDITION).unlink(missing_ok=True)  # what stands there is another test's until this one has ended
            settings = {**conditions[condition], "output_dir": str(folder), "overwrite": True, "save_at_most": 1}
            settings["save_reconstructions"] = condition == next(iter(conditions))
            if self.study.trains(self.run.method):
                settings["checkpoint"] = str(self.folder / (LAST if self.study.weights == "last" else BEST))
            self._go("evaluating", **settings)
            _write_json(folder / CONDITION, conditions[condition])
        return _read_json(folder / "metrics_summary.json")["metrics"]

    def prepare(self) -> None:
        """Align and cut the pairs that the training and the ordinary test read, as these would."""
        volumes = {"evaluating": ["validate::volumes"]}
        if self.study.trains(self.run.method):
            volumes["training"] = ["train::volumes", "validate::volumes"]
        for run_id, names in volumes.items():
            parser = parser_of(self.study, self.run, run_id, self.overrides)
            if parser.get("register_to") == "reconstruction":  # by a network that is not trained yet
                continue
            for name in names:
                parser.get_parsed_content(name)

    def _go(self, run_id: str, **settings: Any) -> ConfigWorkflow:
        """Run a workflow as ``python -m monai.bundle run`` does."""
        files, given = config_of(self.study, self.run, run_id, self.overrides | settings)
        workflow = ConfigWorkflow(
            config_file=files,
            meta_file=str(CONFIGS / "metadata.json"),
            logging_file=str(CONFIGS / "logging.conf"),
            run_id=run_id,
            **given,
        )
        workflow.initialize()
        workflow.run()
        workflow.finalize()
        return workflow


def _is_tested(study: Study, run: Run, condition: str, output_dir: Path) -> bool:
    """Whether a run's network was tested under a condition with the settings that the study gives it now."""
    path = output_dir / run.folder / "conditions" / condition / CONDITION
    return path.is_file() and _read_json(path) == study.conditions_of(run)[condition]


def _results(run: Run, condition: str, output_dir: Path) -> pd.DataFrame:
    folder, training = output_dir / run.folder / "conditions" / condition, output_dir / run.folder / TRAINING
    summary = _read_json(folder / "metrics_summary.json")
    try:
        rows = pd.read_csv(folder / "metrics.csv", dtype={"subject": str})[MEASURED]
        costs = {name: summary[name] for name in ("parameters", "seconds_per_slice")}
    except (OSError, ValueError, KeyError) as error:
        raise _damaged(folder, error) from error
    rows = rows.assign(**{name: getattr(run, name) for name in ("dataset", "scan", "method", "seed", "fold")})
    costs["training_seconds"] = _read_json(training).get("training_seconds", 0.0)  # not trained: no such file
    return rows.assign(condition=condition, folder=run.folder.as_posix(), **costs)


def _read_json(path: Path) -> dict[str, Any]:
    """What a file holds; nothing where there is none."""
    try:
        return dict(json.loads(path.read_text())) if path.is_file() else {}
    except (OSError, ValueError, TypeError) as error:
        raise _damaged(path.parent, error) from error


def _damaged(folder: Path, error: Exception) -> BundleError:
    reason = " ".join(str(error).split())  # pandas ends its own with a new line
    return BundleError(
        f"{folder} lacks what its run has written, or it is damaged ({reason}); remove that folder, and the study does "
        "again what it held."
    )


def _write_json(path: Path, content: Mapping[str, Any]) -> None:
    write_text(path, json.dumps(content, indent=2) + "\n")


def _end_with_parent() -> None:
    """Wait until the process that started this one has ended, which closes standard input."""
    os.read(sys.stdin.fileno(), 1)
    os.kill(os.getpid(), signal.SIGTERM)


if __name__ == "__main__":
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # of the terminal; the process that started this one passes it on
    threads, *job = pickle.load(sys.stdin.buffer)
    threading.Thread(target=_end_with_parent, daemon=True).start()
    torch.set_num_threads(threads)
    execute(*job)
