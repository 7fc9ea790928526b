"""Whether MONAI's ``--tracking`` can work, told before anything is read."""

from __future__ import annotations

import os
from collections.abc import Collection, Iterator, Mapping
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from monai.bundle import ConfigParser
from monai.bundle.utils import DEFAULT_MLFLOW_SETTINGS

from ..errors import BundleError
from ..paths import path_of

__all__ = ["check_tracking"]

_HANDLER = "MLFlowHandler"
_DEFAULT_URI = DEFAULT_MLFLOW_SETTINGS["configs"]["tracking_uri"]  # type: ignore[index]  # OUT/mlruns.db
_OPTIONS = ("tracking_uri", "experiment_name", "run_name")
_NEEDED = ("mlflow", "sqlalchemy")  # the latter is what mlflow-skinny lacks for a store of its own


def check_tracking(parser: ConfigParser, used: Collection[str] = ()) -> None:
    """Refuse tracking without mlflow, to a folder, which MLflow no longer takes, or to what cannot be reached.

    Args:
        parser: of a merged config, to which MONAI has added its handlers where ``--tracking`` was given.
        used: ids that something in the config refers to.

    Raises:
        BundleError: one of these, or an option of tracking without it.
    """
    config: Mapping[str, Any] = parser.config  # type: ignore[assignment]  # MONAI's annotation is that of an item
    if not any(_HANDLER in str(handler.get("_target_")) for handler in _handlers(config)):
        if lone := [name for name in _OPTIONS if name in config and name not in used]:
            raise BundleError(f"{lone[0]} has no effect without --tracking mlflow; add that, or leave {lone[0]} out.")
        return
    if missing := [package for package in _NEEDED if find_spec(package) is None]:
        raise BundleError(
            f"Tracking needs mlflow, of which {' and '.join(missing)} cannot be found: pip install '.[tracking]', or "
            "leave out --tracking."
        )
    given = os.environ.get("MLFLOW_TRACKING_URI")
    if not given and config.get("tracking_uri") == _DEFAULT_URI:
        own = _own_store(path_of("output_dir", parser.get_parsed_content("output_dir")))
        parser.ref_resolver.items["tracking_uri"].update_config(f"${own!r}")  # as code, which is what MONAI evaluates
    elif uri := given or ("tracking_uri" in config and parser.get_parsed_content("tracking_uri")):
        _reach(str(uri))


def _own_store(folder: Path) -> str:
    """Of MONAI's default, without its quotes for blanks and umlauts, which MLflow takes for part of the name."""
    path = folder.absolute().as_posix()
    if odd := [character for character in "#?%" if character in path]:
        raise BundleError(
            f"MLflow can keep no database in {path}, because of the {odd[0]}; give another output_dir, or tracking_uri "
            "as sqlite:///FILE.db."
        )
    return f"sqlite:///{path}/mlruns.db"


def _reach(uri: str) -> None:
    if "://" not in uri or uri.startswith("file:"):
        raise BundleError(
            f"MLflow keeps runs in a database or on a server, not in a folder: instead of {uri} give tracking_uri "
            "(or MLFLOW_TRACKING_URI) as sqlite:///FILE.db or http://HOST:PORT."
        )
    from mlflow import MlflowClient  # takes seconds

    try:
        MlflowClient(tracking_uri=uri).search_experiments(max_results=1)
    except Exception as error:  # MLflow's own, its database's or its network's
        reason = str(error).strip().partition("\n")[0]
        raise BundleError(f"MLflow at {uri} cannot be used: {reason}.") from error


def _handlers(part: Any) -> Iterator[Mapping[str, Any]]:
    """All components of a config."""
    if isinstance(part, Mapping) and "_target_" in part:
        yield part
    for inner in part.values() if isinstance(part, Mapping) else part if isinstance(part, (list, tuple)) else ():
        yield from _handlers(inner)
