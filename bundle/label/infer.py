"""Reconstruction as a task of MONAI Label: its bundle task on configs/inference.yaml, with each request's settings."""

from __future__ import annotations

import logging
import threading
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from monai.bundle import ConfigParser
from monailabel.interfaces.tasks.infer_v2 import InferType
from monailabel.tasks.infer.bundle import BundleInferTask
from torch import nn

from ..acquisition.masks import accelerations
from ..data import RigidAlignmentd
from ..errors import BundleError, first_bundle_error
from ..evaluation.calibration import calibration_of
from ..evaluation.integers import type_of_result
from ..evaluation.volume_files import UNCERTAINTY, write_volume
from ..paths import own_root
from ..settings import plain
from ..settings.table import default_of
from .places import SHIPPED, Places
from .progress import SlicesTold, told_progress
from .recon_series import TOLD, check_series_asked, write_recon_series
from .requests import SCAN, scan_settings
from .threads import start

__all__ = ["UNCERTAINTY_FILE", "ReconstructionTask"]

_DEVICE = "device"
_SUFFIXES = (".nii.gz", ".nii", ".nrrd")
UNCERTAINTY_FILE = "uncertainty_file"  # of a request: where its uncertainty is written
_logger = logging.getLogger(__name__)


class ReconstructionTask(BundleInferTask):
    """A T2 file, and the T1 that the request names or that lies beside it, to the reconstructed T2.

    A request may hold ``t1``, the settings of the scan and ``weights``, ``newest`` or ``shipped``. The answer tells
    how T1 was aligned, and the weights.

    Args:
        places: where weights and registrations lie.
        conf: of the server, ``--conf``.
    """

    def __init__(self, places: Places, conf: Mapping[str, str]) -> None:
        self.places = places
        self._one_at_a_time = threading.Lock()
        self._shown = ""  # the study that a client looks at
        super().__init__(str(own_root()), dict(conf), type=InferType.OTHERS)
        self._config.pop("model_filename", None)  # a path; what may be chosen here is named
        self._config |= {"weights": ["newest", SHIPPED], "t1": ""}
        self._config |= {name: default_of(name).strip("`") for name in SCAN}

    def __call__(self, request: Mapping[str, Any], callbacks: Any = None) -> Any:
        """As MONAI Label calls it; requests of several threads wait for each other, as they share a config."""
        _check_result(request)
        with self._one_at_a_time, told_progress("Reconstruction"):
            return super().__call__({**request, "t1": request.get("t1") or None}, callbacks)

    def register_ahead(self, image: str) -> None:
        """Register a study's pair in the background, as a request with no settings would, and remember it.

        A mistake is the later request's to tell. Of several studies that wait, the last is taken.

        Args:
            image: its T2 file.
        """
        self._shown = image

        def register() -> None:
            with self._one_at_a_time:
                if image != self._shown:
                    return
                try:
                    with told_progress("Registration ahead"):
                        data: Any = {**self._config, "image": image, "t1": None, _DEVICE: "cpu"}
                        for transform in self.pre_transforms(data)[:-1]:  # all but the scan
                            data = transform(data)
                except Exception as error:
                    _logger.info("Not registered ahead: %s", first_bundle_error(error) or error)

        start(register)

    def _load_bundle_config(self, path: str, config: str) -> ConfigParser:
        """The config as it is for weights that are given, whatever lies in an output folder."""
        parser = super()._load_bundle_config(path, config)
        kept = {"checkpoint": str(self.places.weights()), "cache_dir": str(self.places.scratch()), "handlers": []}
        parser.config.update(kept)
        return parser

    def pre_transforms(self, data: Mapping[str, Any]) -> Any:
        """Those of the config, with the request's settings; registrations of earlier requests are remembered."""
        parser = self._load_bundle_config(self.bundle_path, self.bundle_config_path)
        asked = {_DEVICE: data[_DEVICE], "checkpoint": str(self.places.weights(data.get("weights")))}
        parser.update({**scan_settings(data), **asked, "inferer::inferer::inferer::tell": SlicesTold()})
        self.bundle_config = parser
        parser.get_parsed_content("calibrations")  # refuses weights that have none, where an uncertainty is asked for
        parser.get_parsed_content("load")  # weights first: a T1 can be registered to what the network makes without it
        for transform in parser.get_parsed_content("preparation").transforms:
            if isinstance(transform, RigidAlignmentd):
                transform.memory_dir = self.places.registrations
        return super().pre_transforms(data)

    def _get_network(self, device: str, data: Mapping[str, Any] | None) -> nn.Module:
        """The network that its weights tell, in place of one that was built at the start."""
        return self.bundle_config.get_parsed_content("network").eval()

    def writer(self, data: dict[str, Any], extension: str | None = None, dtype: str | None = None) -> Any:
        """The file, beside what is told of it; a client that names no type gets floats."""
        weights = self.bundle_config.get_parsed_content("weights").record()
        if check_series_asked(data):
            settings = {name: self.bundle_config.get_parsed_content(name) for name in TOLD}
            write_recon_series(data, settings, weights)
        weights["file"] = Path(weights["file"]).name
        told = {
            "alignment": data["alignment"].get("note", ""),
            "t1": Path(data["files"]["t1"]).name,
            **accelerations(data),
            "weights": weights,
            "research": "reconstructed from simulated undersampling; not for clinical use",
        }
        if target := data.get(UNCERTAINTY_FILE):
            calibrations = self.bundle_config.get_parsed_content("calibrations")
            told[UNCERTAINTY] = calibration_of(calibrations, data["image"]).record()
            write_volume(Path(target), data[UNCERTAINTY])
        data["result"] = {**data.get("result", {}), **told}
        return super().writer(data, extension or data.get("result_extension") or _SUFFIXES[0], dtype)


def _check_result(request: Mapping[str, Any]) -> None:
    """BundleError where the file that is asked for cannot be written, before anything is computed."""
    suffix, kind = request.get("result_extension") or _SUFFIXES[0], plain(request.get("result_dtype"))
    if suffix not in _SUFFIXES:
        raise BundleError(f"result_extension is {', '.join(_SUFFIXES[:-1])} or {_SUFFIXES[-1]}, not {suffix!r}.")
    if kind is not None:
        type_of_result(kind)
