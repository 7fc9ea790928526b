"""Checkpoints on disk: which file a run loads, and what a file holds."""

from __future__ import annotations

import hashlib
import io
import logging
import zipfile
from collections.abc import Mapping
from pathlib import Path

import torch

from ..errors import BundleError
from ..paths import own_root, path_of
from ..settings import plain

__all__ = ["BEST", "LAST", "find_checkpoint", "read_checkpoint", "read_file"]

BEST = "model.pt"  # the best weights so far, a plain state dict
LAST = "last.pt"  # all that a training needs to go on

_logger = logging.getLogger(__name__)


def find_checkpoint(checkpoint: str | None, output_dir: str, bundle_root: str | None = None) -> Path:
    """The file to load: ``checkpoint`` if given, else ``output_dir/model.pt``.

    Where there is neither, the shipped weights, ``bundle_root/models/model.pt``, and a line that says so; where
    ``bundle_root`` is no bundle, as ``.`` in any other folder, those of the bundle that runs. Without ``bundle_root``
    none are taken: figures of others' weights must not pass for those of one's own.

    Raises:
        BundleError: the file does not exist, or ``output_dir`` holds ``last.pt`` alone.
    """
    if (given := plain(checkpoint)) is not None:
        return _given(path_of("checkpoint", given))
    folder = path_of("output_dir", output_dir)
    if (folder / BEST).is_file():
        return folder / BEST
    if (folder / LAST).is_file():
        raise BundleError(
            f"{folder} holds {LAST}, weights of the last epoch, but no {BEST}: no validation has chosen the best yet "
            f"(val_interval); take the last ones with --checkpoint '{folder / LAST}'."
        )
    if bundle_root is None:
        raise BundleError(
            f"{folder} holds no {BEST}, so there are no weights to evaluate; give the output_dir of a training, or "
            f"other weights with --checkpoint FILE, such as the shipped models/{BEST}."
        )
    root = path_of("bundle_root", bundle_root)
    if not any((root / name).exists() for name in ("configs", f"models/{BEST}")):
        root = own_root()
    instead = (
        f"bundle_root is {root.resolve()}; give the bundle's with --bundle_root DIR, or weights by --checkpoint FILE"
    )
    path = _existing("The file of the shipped weights", root / "models" / BEST, instead)
    _logger.info("No --checkpoint was given, and %s holds no %s: taking the shipped weights.", folder, BEST)
    return path


def read_checkpoint(path: Path) -> tuple[Mapping, str]:
    """All that a checkpoint holds, on the CPU, and the file's SHA-256, in hexadecimal digits.

    Raises:
        BundleError: the file cannot be read, or holds something else.
    """
    content, sha256 = read_file(path)
    return _loaded(path, content), sha256


def read_file(path: Path) -> tuple[bytes, str]:
    """What a file holds, and its SHA-256, in hexadecimal digits; BundleError where it cannot be read."""
    try:
        content = path.read_bytes()
    except OSError as error:
        raise BundleError(f"The checkpoint {path} cannot be read: {error.strerror or error}.") from error
    return content, hashlib.sha256(content).hexdigest()


def _given(path: Path) -> Path:
    instead = "give another with --checkpoint FILE"
    if (own := own_root() / path).is_file():  # it does not stand in for what may be the user's own
        instead = f"the one that is shipped with the bundle is {own}"
    return _existing("The checkpoint", path, instead)


def _existing(what: str, path: Path, instead: str) -> Path:
    if not path.is_file():
        wrong = "is a folder, not a file" if path.is_dir() else "does not exist"
        raise BundleError(f"{what} {path} {wrong}; {instead}.")
    return path


def _loaded(path: Path, content: bytes) -> Mapping:
    try:
        loaded = torch.load(io.BytesIO(content), map_location="cpu", weights_only=True)
    except MemoryError:
        raise
    except Exception as error:  # torch's unpickler fails on foreign bytes with whatever it stumbles over
        pickled = zipfile.is_zipfile(io.BytesIO(content))
        why = "it holds other objects than weights, save a state_dict()." if pickled else "was it cut short?"
        raise BundleError(f"{path} is not a checkpoint that can be read; {why}") from error
    if not isinstance(loaded, Mapping):
        raise BundleError(f"{path} holds no state dict but a {type(loaded).__name__}.")
    return loaded
