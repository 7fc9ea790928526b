"""MONAI Label's server with our app behind the guard, in this process."""

from __future__ import annotations

import json
import logging
import os
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from monai.data import MetaTensor

from ..data import register_rigid
from ..outputs import atomic_path, check_writable, end_tidily, scratch_dir
from ..paths import own_root
from .guard import OF_A_STORE, Guard
from .places import Places
from .requests import OF_A_BATCH, OF_A_TRAINING, SCAN, WEIGHTS
from .source import Source

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
    end_tidily()
    requests = _temporary()
    conf = {"also": os.pathsep.join(str(folder.resolve()) for folder in also)}
    _tell_monai_label(places.work, studies.setting, port, conf)
    import uvicorn
    from monailabel.app import app  # here, since it reads the environment

    if studies.is_store:
        from .dicomweb import check_store

        check_store(studies.setting)

    folders = [*studies.folders, *also, requests]
    parameters = sorted({*_PARAMETERS, *studies.parameters})
    guard = Guard(app, folders, clients, parameters, requests, OF_A_STORE if studies.is_store else ())
    url = f"http://{host}:{port}"
    _logger.info("%s. Answered: %s.", studies.told(), ", ".join(clients))
    _logger.info("In Slicer: module MONAI Label, server %s; in a browser: %s. See docs/monai_label.md.", url, url)
    _warm_up(requests)
    guard.clean()
    try:
        uvicorn.run(guard, host=host, port=port, log_config=None, access_log=False, server_header=False)
    finally:
        _end_tasks()


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
    """Load what ITK loads at its first use, so that the first click does not wait for it: some 10 s."""
    from monailabel.transform.writer import write_itk

    rng = np.random.default_rng(0)
    t1, t2 = (MetaTensor(torch.from_numpy(rng.random((1, 16, 16, 16), np.float32)), affine=torch.eye(4)) for _ in "12")
    register_rigid(t2, t1, levels=1, samples=1000)
    for suffix in (".nii.gz", ".nrrd"):
        write_itk(t2.numpy()[0], str(scratch / f"warm{suffix}"), np.eye(4), "float32", False)


def _end_tasks() -> None:
    """A training or batch that runs is ended with the server."""
    from monailabel.utils.async_tasks.utils import background_tasks, stop_background_task

    for method in list(background_tasks):
        stop_background_task(method)
    sys.stdout.flush()
