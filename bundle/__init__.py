"""T1-guided reconstruction of undersampled MRI; the packages stand in the order in which the data meet them.

``data`` (files to aligned slices), ``acquisition`` (slices to the simulated scan), ``networks`` (plain torch),
``compute`` (where and how a network computes), ``training``, ``evaluation``, ``reconstruction`` (two files to a
volume); beside them the tools ``demo``, ``study``, ``benchmark`` and ``label``. None imports from one that comes later.

    from bundle import reconstruct
    image = reconstruct("T1.nii.gz", "T2.nii.gz")
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .errors import BundleError
    from .reconstruction.volume import reconstruct

__all__ = ["BundleError", "reconstruct"]

_PLACES = {"BundleError": "errors", "reconstruct": "reconstruction.volume"}


def __getattr__(name: str) -> Any:
    """Import what is asked for, and torch and MONAI with it, not before."""
    if name not in _PLACES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f".{_PLACES[name]}", __name__), name)


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
