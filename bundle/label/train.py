"""Training as a task of MONAI Label: on pairs of the folder of studies, which need no label."""

from __future__ import annotations

import logging
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml
from monailabel.interfaces.datastore import Datastore
from monailabel.tasks.train.bundle import BundleTrainTask

from ..data import write_datalist
from ..errors import BundleError
from ..outputs import write_whole
from ..paths import own_path, own_root
from ..settings import check_values
from ..training.weights import Weights
from .places import Places
from .studies import training_lists

__all__ = ["PairTraining"]

_logger = logging.getLogger(__name__)
_SETTINGS = {"max_epochs": "epochs", "channels": "channels", "batch_size": "batch_size"}
_SETTINGS |= {"learning_rate": "learning_rate", "image_size": "image_size", "device": "device"}
_OVERLAYS = {"MANet": [], "Unrolled": ["experiments/unrolled.yaml"]}  # of the networks that can be trained on here


class PairTraining(BundleTrainTask):
    """Train on all studies with a T1, by ``run training`` of configs/train.yaml; its best weights are then served.

    They go to the server's own folder, never to ``models/``. A request may hold ``pretrained`` (true: begin with the
    newest weights, and their network; false: a MANet with ``channels`` features and random weights), ``max_epochs``,
    ``val_split``, ``batch_size``, ``learning_rate``, ``image_size`` and ``device``.

    Args:
        places: where weights lie.
        conf: of the server, ``--conf``.
    """

    def __init__(self, places: Places, conf: Mapping[str, str]) -> None:
        self.places = places
        super().__init__(str(own_root()), dict(conf))

    def config(self) -> dict[str, Any]:
        """What clients offer, with the defaults."""
        return {"pretrained": True, "max_epochs": 10, "val_split": 0.2, "channels": 16, "batch_size": 2}

    def __call__(self, request: Mapping[str, Any], datastore: Datastore) -> dict[str, Any]:
        """Train, and serve what was trained.

        Raises:
            BundleError: there are too few pairs, a setting is none, or the training ended with a sentence.
        """
        wanted = {**self.config(), **request}
        lists = training_lists(map(datastore.get_image_uri, datastore.list_images()), wanted["val_split"])
        with tempfile.TemporaryDirectory() as folder:  # aligned slices lie in it, which go with it
            write_datalist(lists, Path(folder) / "data" / "datalist.json")
            settings = self._settings(wanted, Path(folder))
            _run(settings, self._config_files(wanted), Path(folder))
            write_whole(self.places.trained, (Path(folder) / "out" / "model.pt").read_bytes())
        _logger.info("Trained on %d studies; %s is served from now on.", len(lists["training"]), self.places.trained)
        return {"studies": {name: len(items) for name, items in lists.items()}, "weights": self.places.trained.name}

    def _settings(self, wanted: Mapping[str, Any], folder: Path) -> dict[str, Any]:
        given = {name: wanted[key] for key, name in _SETTINGS.items() if wanted.get(key) is not None}
        if wanted["pretrained"]:
            weights = self.places.weights()
            network = Weights.read(weights).record()
            given |= {"start_from": str(weights), **network["network_settings"]}
        check_values(given, expressions=False)
        known = {name: value for name, value in given.items() if name != "memory"}
        places = {"dataset_dir": str(folder / "data"), "output_dir": str(folder / "out"), "val_interval": 1}
        return {**known, **places, "num_workers": 0}

    def _config_files(self, wanted: Mapping[str, Any]) -> list[str]:
        name = Weights.read(self.places.weights()).record()["network"] if wanted["pretrained"] else "MANet"
        if name not in _OVERLAYS:
            raise BundleError(
                f"The newest weights are of {name}, which the server does not train; set pretrained to false."
            )
        return [str(own_path("configs") / file) for file in ("train.yaml", *_OVERLAYS[name])]


def _run(settings: Mapping[str, Any], files: list[str], folder: Path) -> None:
    """``run training`` in a process of its own, line by line into the log, which clients can read."""
    arguments = folder / "arguments.yaml"
    arguments.write_text(yaml.safe_dump({"config_file": files, "bundle_root": str(own_root()), **settings}))
    command = [sys.executable, "-m", "monai.bundle", "run", "training", "--args_file", str(arguments)]
    last = ""
    with subprocess.Popen(
        command, cwd=own_root(), stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    ) as process:
        for line in process.stdout or ():
            if line.strip():
                last = line.strip()
                _logger.info(last)
    if process.returncode:
        raise BundleError(f"The training ended: {last.removeprefix('Error: ')}")
