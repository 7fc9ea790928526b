"""The data of a run that is given none: the demo data, made once in the bundle's folder."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from ..paths import path_of
from ..settings import plain
from .phantom import make_demo_dataset

__all__ = ["DEFAULT_FOLDER", "make_default_dataset"]

DEFAULT_FOLDER = "demo_data"  # in bundle_root: what the configs give as dataset_dir


def make_default_dataset(dataset_dir: str | Path, bundle_root: str | Path, files: Sequence[str | None] = ()) -> None:
    """Make the demo data where a run reads them: ``dataset_dir`` is the default folder, and no file is given.

    Args:
        dataset_dir: the run's; any other than ``bundle_root/demo_data`` is the user's own and is left alone.
        bundle_root: folder of the bundle.
        files: images that the run is given instead of a dataset; None for those that it is not.

    Raises:
        BundleError: the folder holds something else or cannot be written, or nilearn is missing.
    """
    if any(plain(file) is not None for file in files):
        return
    default = (path_of("bundle_root", bundle_root) / DEFAULT_FOLDER).resolve()
    if path_of("dataset_dir", dataset_dir).resolve() == default:
        make_demo_dataset(default)
