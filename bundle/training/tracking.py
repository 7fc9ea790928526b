"""MONAI's ``--tracking mlflow``, told what it cannot know of this bundle."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

from monai.bundle import ConfigParser
from monai.handlers import MLFlowHandler

from ..errors import BundleError, errors_in_a_sentence
from ..paths import path_of
from ..settings import MAY_CHANGE, Settings
from ..settings.merged import config_in_use
from ..written import note_written

__all__ = ["prepare_tracking"]

_SQLITE = "sqlite:///"


def prepare_tracking(handlers: Sequence, output_dir: str | Path, artifacts: Sequence[str]) -> None:
    """Step of a run list before the engine is built: make MONAI's handlers for MLflow record this run, and it alone.

    They get the settings as parameters, a run of their own where no ``run_name`` is given (MONAI's would go on in
    whichever run of the store was interrupted), an end, files to keep, and a loss that is a number. What a settings
    file of ``--tracking`` gives stays. Without ``--tracking`` nothing happens.

    Args:
        handlers: of the engines that run; others than MONAI's for MLflow are left as they are.
        output_dir: of the run.
        artifacts: files and folders in it that MLflow gets a copy of at the end, where they are there.
    """
    tracking = [handler for handler in handlers if isinstance(handler, MLFlowHandler)]
    if not tracking:
        return
    parser, run_id = config_in_use()
    name = f"{run_id.split('::')[0]}_{time.strftime('%Y%m%d_%H%M%S')}"
    for handler in tracking:
        handler.run_name = handler.run_name or name
        handler.output_transform = _without_tuple(handler.output_transform)
    first = tracking[0]  # the trainer's, where there is one: it runs from beginning to end
    first.experiment_param = _settings(parser) | (first.experiment_param or {})
    first.artifacts = (*first.artifacts, *(path_of("output_dir", output_dir) / name for name in artifacts))
    first.close_on_complete = True
    if first.client.tracking_uri.startswith(_SQLITE):
        note_written(Path(first.client.tracking_uri.removeprefix(_SQLITE)))


def _without_tuple(transform: Callable[[Any], Any]) -> Callable[[Any], Any]:
    """MONAI's ``from_engine(["loss"])`` gives a tuple of one where batches are not taken apart (``decollate``)."""

    def transformed(output: Any) -> Any:
        value = transform(output)
        return value[0] if isinstance(value, tuple) and len(value) == 1 else value

    return transformed


def _settings(parser: ConfigParser) -> dict[str, Any]:
    """Those that a resumed training cannot change either, as MLflow refuses a parameter that changes.

    Without those of other networks, which an evaluation offers to the overlays of all (``weights.setting``).
    """
    config: Mapping[str, Any] = parser.config  # type: ignore[assignment]  # MONAI's annotation is that of an item
    found: dict[str, Any] = {}
    for name in (name for name in Settings.model_fields if name in config and name not in MAY_CHANGE):
        with suppress(BundleError), errors_in_a_sentence():
            component = isinstance(config[name], Mapping)
            found[name] = config[name].get("_target_") if component else parser.get_parsed_content(name)
    return found
