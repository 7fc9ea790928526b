"""The bundle as its users run it: ``monai.bundle.run`` on the configs, in this process or in one of its own."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import monai.bundle

from bundle.errors import first_bundle_error

ROOT = Path(__file__).resolve().parent.parent
CONFIGS = {
    "training": ["configs/train.yaml"],
    "evaluating": ["configs/train.yaml", "configs/evaluate.yaml"],
    "inference": ["configs/inference.yaml"],
}
# A network and a matrix that train in a second
TINY = {
    "channels": 4,
    "network_def::depth": 1,
    "image_size": 32,
    "batch_size": 4,
    "num_workers": 0,
    "epochs": 2,
    "device": "cpu",
}


def run(run_id: str, *overlays: str, **overrides) -> None:
    """Run one of :data:`CONFIGS` from the bundle's root, perhaps with overlays on it, in this process."""
    config_file = [str(ROOT / name) for name in (*CONFIGS[run_id], *overlays)]
    monai.bundle.run(run_id=run_id, config_file=config_file, bundle_root=str(ROOT), **overrides)


def sentence_of(error: BaseException) -> str:
    """The text of the BundleError that an exception wraps; AssertionError where there is none."""
    sentence = first_bundle_error(error)
    assert sentence is not None, "no BundleError among the causes"
    return sentence


def command(run_id: str, *arguments: str, configs: list[str] | None = None) -> list[str]:
    """The command line that the README shows."""
    files = configs or CONFIGS[run_id]
    return [sys.executable, "-m", "monai.bundle", "run", run_id, "--config_file", str(files), *arguments]


def run_command(arguments: list[str], **settings) -> subprocess.CompletedProcess:
    """Run a command line from the bundle's root, with its output as text."""
    environment = os.environ | {"OMP_NUM_THREADS": "1"}
    return subprocess.run(arguments, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=600, **settings)
