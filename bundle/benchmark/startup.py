"""Seconds from the command to the first training step, beside those of the imports that no bundle can do without."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml
from ignite.engine import Engine, Events

from ..errors import BundleError
from ..paths import data_root, own_path, own_root
from .timing import Timing, take_turns

__all__ = ["IMPORT", "TRAINING", "LeaveAfterFirstStep", "run_python", "startup_times"]

ROOT = own_root()
IMPORT, TRAINING = "import torch, monai.bundle", "monai.bundle run training"
_LEAVE = "import os; os._exit(0)"  # at once, as the training does after its first step


class LeaveAfterFirstStep:
    """Handler of the trainer: ends the process when the first step is done."""

    def attach(self, engine: Engine) -> None:
        """Called by the trainer."""
        engine.add_event_handler(Events.ITERATION_COMPLETED, self._leave)

    def _leave(self) -> None:
        sys.stdout.flush()
        os._exit(0)  # at once: what a training does at its end is not asked for


def startup_times(settings: Mapping[str, Any], repeats: int) -> dict[str, Timing]:
    """Time both commands in turn, each in a process of its own; the first round, which fills the caches, is left out.

    Args:
        settings: overrides of ``configs/train.yaml``.
        repeats: rounds that count.

    Raises:
        BundleError: a command fails.
    """
    with tempfile.TemporaryDirectory() as folder:
        overlay = Path(folder) / "first_step.yaml"
        handler = {"_target_": "bundle.benchmark.startup.LeaveAfterFirstStep"}
        own = {"+train::handlers": [handler], "overwrite": True, "bundle_root": str(data_root())}
        overlay.write_text(yaml.safe_dump(own | dict(settings)))
        files = [str(own_path("configs/train.yaml")), str(overlay)]
        train = ["-m", "monai.bundle", "run", "training", "--config_file", str(files)]
        train += ["--output_dir", str(Path(folder) / "out"), "--cache_dir", str(Path(folder) / "cache")]
        tasks = {IMPORT: lambda: run_python(["-c", f"{IMPORT}; {_LEAVE}"]), TRAINING: lambda: run_python(train)}
        return take_turns(tasks, repeats)


def run_python(arguments: list[str]) -> None:
    """Run Python in a process of its own, until that process ends, whatever becomes of its children.

    Raises:
        BundleError: it fails; with the last line of what it printed.
    """
    # a warm cache is one of compiled modules too; without it both commands mostly compile
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    # into a file: a pipe would stay open until the loader's workers find, after seconds, that they are alone
    with tempfile.TemporaryFile("w+") as output:
        done = subprocess.run([sys.executable, *arguments], cwd=ROOT, env=environment, stdout=output, stderr=output)
        output.seek(0)
        lines = output.read().strip().splitlines()
    if done.returncode != 0:
        raise BundleError(f"python {' '.join(arguments)} failed: {(lines or ['no message'])[-1]}")
