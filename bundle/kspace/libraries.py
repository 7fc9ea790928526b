"""The packages that only raw data need, imported when a file asks for them."""

from __future__ import annotations

from importlib import import_module
from typing import Any

from ..errors import BundleError

__all__ = ["library"]


def library(name: str) -> Any:
    """A module of ``h5py`` or ``defusedxml``.

    Raises:
        BundleError: it is not installed; the sentence says how it gets there.
    """
    try:
        return import_module(name)
    except ImportError as error:
        package = name.partition(".")[0]
        raise BundleError(
            f"Raw k-space files are read with the package {package}, which is not installed; install it with: pip "
            f"install {package}"
        ) from error
