"""Registrations kept on disk, so that a pair that was registered before is not registered again: numbers, no image."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from monai.data import MetaTensor

from ..outputs import write_text

__all__ = ["remembered"]

_FORMAT = 1  # count up when a registration of the same images comes out differently


def remembered(
    folder: Path, volumes: Sequence[MetaTensor], settings: Mapping[str, Any], register: Callable[[], dict[str, Any]]
) -> dict[str, Any]:
    """What ``register`` returns, from a file of ``folder`` where it was called before on the same volumes.

    The file's name is a checksum of voxels, affines and settings, so a changed image is registered anew, and a renamed
    one is not. A damaged file is written anew.

    Args:
        folder: made if need be.
        volumes: what is registered.
        settings: plain values that the result depends on.
        register: returns plain values, for JSON.

    Raises:
        BundleError: the folder cannot be written.
    """
    digest = hashlib.sha256(json.dumps([_FORMAT, dict(settings)]).encode())
    for volume in volumes:
        for values in (volume.affine.double(), volume.as_tensor()):
            digest.update(repr(tuple(values.shape)).encode())
            digest.update(values.contiguous().cpu().numpy().tobytes())
    path = folder / f"registration-{digest.hexdigest()[:32]}.json"
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        found = None
    if not isinstance(found, dict):
        found = register()
        write_text(path, json.dumps(found))
    return found
