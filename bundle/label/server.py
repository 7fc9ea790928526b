"""MONAI Label's server with our app behind the guard, in this process."""

from __future__ import annotations

import json
import logging
import os
import shutil
import signal
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import nibabel as nib
import numpy as np

from ..compute.memory import share_one_heap
from ..outputs import atomic_path, begin_run, check_writable, scratch_dir
from ..paths import own_root
from .guard import OF_A_STORE, Guard
from .places import Places
from .progress import keep_progress
from .requests import OF_A_BATCH, OF_A_TRAINING, SCAN, WEIGHTS
from .source import Source
from .threads import InThreads, computing

__all__ = ["serve"]

_MAIN = (
    "from bundle.label.app import ReconstructionApp as ReconstructionApp\n"  # what MONAI Label looks for in a folder
)
_OF_MONAI_LABEL = {
    "MONAI_LABEL_SESSIONS": "false",  # they keep uploads for an hour
    "MONAI_LABEL_TASKS_SCORING": "false",
    "MONAI_LABEL_AUTO_UPDATE_SCORING": "false",
    "MONAI_LABEL_TRACKING_ENABLED": "false",
}
_PARAMETERS = {*OF_A_BATCH, *OF_A_TRAINING, *SCAN, *WEIGHTS, "model", "result_dtype", "result_extension"}
_LAST_ANSWERS = 3  # seconds that a server that is told to end waits for them
_logger = logging.getLogger(__name__)


def serve(studies: Source, work: Path, host: str, port: int, clients: Sequence[str], also: Sequence[Path] = ()) -> None:
    """Serve until the process is told to end (SIGTERM, Ctrl-C), then leave no temporary file.

    Args:
        studies: folder of T2 files, or DICOMweb store.
        work: the server's own folder, for weights and registrations.
        host, port: where it listens.
        clients: addresses or networks that are answered.
        also: further folders that requests may name.

    Raises:
        BundleError: ``work`` cannot be written, a client is no address, or a store does not answer.
    """
    check_writable(work, "The server's folder", "another with --work")
    places = Places(work.resolve())
    places.announce()
    begin_run()
    share_one_heap()
    requests = _temporary()
    conf = {"also": os.pathsep.join(str(folder.resolve()) for folder in also)}
    _tell_monai_label(places.work, studies.setting, port, conf)
    from monailabel.app import app  # here, since it reads the environment

    from .told import tell_of_no_json

    tell_of_no_json(app)
    _check_store(studies)
    folders = [*studies.folders, *also, requests]
    parameters = sorted({*_PARAMETERS, *studies.parameters})
    guard = Guard(InThreads(app), folders, clients, parameters, requests, OF_A_STORE if studies.is_store else ())
    url = f"http://{host}:{port}"
    _logger.info("%s. Answered: %s.", studies.told(), ", ".join(clients))
    _logger.info("In Slicer: module MONAI Label, server %s; in a browser: %s. See docs/monai_label.md.", url, url)
    _warm_up(requests)
    guard.clean()
    keep_progress(places.progress)
    _run(guard, host, port, requests.parent)


def _check_store(studies: Source) -> None:
    if studies.is_store:
        from .dicomweb import check_store

        check_store(studies.setting)


def _run(guard: Guard, host: str, port: int, scratch: Path) -> None:
    import uvicorn

    quiet: dict[str, Any] = {"log_config": None, "access_log": False, "server_header": False}
    try:
        uvicorn.run(guard, host=host, port=port, timeout_graceful_shutdown=_LAST_ANSWERS, **quiet)
    finally:
        _end_tasks()
        if computing():  # no signal ends a thread
            _leave(scratch)


def _temporary() -> Path:
    """A folder for the temporary files of requests, beside one for those of the processes that this one starts."""
    scratch = Path(scratch_dir())
    requests, background = scratch / "requests", scratch / "background"
    for folder in (requests, background):
        folder.mkdir()
    tempfile.tempdir = str(requests)
    os.environ["TMPDIR"] = str(background)
    return requests


def _tell_monai_label(work: Path, studies: str, port: int, conf: dict[str, str]) -> None:
    """By the environment, which its own processes for training and batches have, too."""
    with atomic_path(work / "main.py") as path:
        path.write_text(_MAIN)
    os.environ |= _OF_MONAI_LABEL
    os.environ |= {
        "MONAI_LABEL_APP_DIR": str(work),
        "MONAI_LABEL_STUDIES": studies,
        "MONAI_LABEL_APP_CONF": json.dumps(conf),
        "MONAI_LABEL_SERVER_PORT": str(port),
        "PYTHONPATH": os.pathsep.join(filter(None, [os.environ.get("PYTHONPATH", ""), str(own_root())])),
    }


def _warm_up(scratch: Path) -> None:
    """Reconstruct a small cube, so that the first click does not wait for what libraries load at their first use."""
    from .infer import ReconstructionTask

    rng = np.random.default_rng(0)
    t2 = rng.random((16, 16, 16), np.float32)
    for name, voxels, first in (("T2", t2, 0), ("T1", t2[1:] ** 2, 4)):  # on another grid, so that T1 is resampled
        affine = np.array([[4, 0, 0, first], [0, 4, 0, 0], [0, 0, 4, 0], [0, 0, 0, 1]])
        nib.save(nib.Nifti1Image(voxels, affine), scratch / f"warm_{name}.nii")
    task = ReconstructionTask(Places(scratch), {})
    for suffix in (".nrrd", ".nii.gz"):
        task({"image": str(scratch / "warm_T2.nii"), "image_size": 16, "result_extension": suffix})


def _end_tasks() -> None:
    """A training or batch that runs is ended with the server."""
    from monailabel.utils.async_tasks.utils import background_tasks, stop_background_task

    for method in list(background_tasks):
        stop_background_task(method)
    sys.stdout.flush()


def _leave(scratch: Path) -> None:
    """End a process that still computes, at once, and leave no temporary file; with the status that was to be."""
    error = sys.exc_info()[1]
    status = error.code if isinstance(error, SystemExit) and isinstance(error.code, int) else 128 + signal.SIGINT
    _logger.info("Ended in the middle of a reconstruction.")
    shutil.rmtree(scratch, ignore_errors=True)
    os._exit(status)
