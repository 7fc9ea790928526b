"""Weights on disk: which file a run loads, which network they are of, and why a file is refused."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from ..errors import BundleError
from ..networks import settings_from
from ..networks.published_weights import convert_reference_state_dict
from ..settings import plain

__all__ = [
    "BEST",
    "LAST",
    "Weights",
    "find_checkpoint",
    "load_weights",
    "read_checkpoint",
    "read_weights",
    "start_from",
]

BEST = "model.pt"  # the best weights so far, a plain state dict
LAST = "last.pt"  # all that a training needs to go on


@dataclass(frozen=True)
class Weights:
    """The weights that a checkpoint holds.

    Attributes:
        path: of the checkpoint.
        state_dict: tensors by name, as this bundle's networks name them.
    """

    path: Path
    state_dict: Mapping[str, Tensor]

    @classmethod
    def of(cls, path: Path, content: Mapping) -> Weights:
        """Those in what a checkpoint holds: ``model.pt``, ``last.pt`` or one of the published network.

        Raises:
            BundleError: there are none.
        """
        weights = content.get("network", content.get("state_dict", content))
        if not isinstance(weights, Mapping) or not all(
            isinstance(name, str) and isinstance(value, Tensor) for name, value in weights.items()
        ):
            raise BundleError(f"{path} does not hold the weights of a network, which are tensors by name.")
        published = any(name.startswith("UNet_") for name in weights)
        return cls(path, convert_reference_state_dict(weights) if published else weights)

    def setting(self, name: str) -> Any:
        """What the network of these weights was built with, such as its ``channels``.

        Raises:
            BundleError: they are of no network of this bundle, or of one without such a setting.
        """
        settings = settings_from(self.state_dict)
        if settings is None:
            raise BundleError(f"{self.path} does not hold the weights of a MANet or of a network it is compared with.")
        if name not in settings:
            raise BundleError(
                f"{self.path} is of another network, which has {', '.join(settings)} but no {name}; add that network's "
                "overlay, of configs/experiments/, to the config files."
            )
        return settings[name]


def find_checkpoint(checkpoint: str | None, output_dir: str, bundle_root: str) -> Path:
    """The file to load: ``checkpoint`` if given, else ``output_dir/model.pt``, else ``bundle_root/models/model.pt``.

    Raises:
        BundleError: the file does not exist.
    """
    trained, shipped = Path(str(output_dir)) / BEST, Path(bundle_root) / "models" / BEST
    given = plain(checkpoint)
    path = Path(str(given)) if given is not None else trained if trained.exists() else shipped
    if not path.is_file():
        raise BundleError(f"The checkpoint {path} does not exist; give another with --checkpoint FILE, or train one.")
    return path


def read_weights(checkpoint: str | None, output_dir: str, bundle_root: str) -> Weights:
    """The weights of the file that :func:`find_checkpoint` finds.

    Raises:
        BundleError: the file does not exist, cannot be read, or holds no weights.
    """
    path = find_checkpoint(checkpoint, output_dir, bundle_root)
    return Weights.of(path, read_checkpoint(path))


def read_checkpoint(path: Path) -> Mapping:
    """All that a checkpoint holds, on the CPU.

    Raises:
        BundleError: the file cannot be read, or holds something else.
    """
    try:
        content = torch.load(path, map_location="cpu", weights_only=True)
    except MemoryError:
        raise
    except Exception as error:  # torch's unpickler fails on foreign bytes with whatever it stumbles over
        raise BundleError(f"{path} is not a checkpoint that can be read; was it cut short?") from error
    if not isinstance(content, Mapping):
        raise BundleError(f"{path} holds no state dict but a {type(content).__name__}.")
    return content


def start_from(network: nn.Module, checkpoint: str | None) -> nn.Module:
    """Load the weights that a training begins with, if a file is given; a training that is resumed replaces them."""
    given = plain(checkpoint)
    return network if given is None else load_weights(network, str(given))


def load_weights(network: nn.Module, weights: Weights | str | None) -> nn.Module:
    """Load weights into ``network``, and return it.

    Args:
        network: gets the weights.
        weights: what :func:`read_weights` gives, or a file; None for a network without any, such as zero filling.

    Raises:
        BundleError: the file cannot be read, or its weights belong to another network.
    """
    expected = network.state_dict()
    if weights is None:
        if expected:
            raise BundleError(
                "The network has weights to load, and no checkpoint was given; give one with --checkpoint."
            )
        return network
    if not isinstance(weights, Weights):
        weights = Weights.of(Path(weights), read_checkpoint(Path(weights)))
    _compare(weights, expected)
    network.load_state_dict(weights.state_dict)
    return network


def _compare(weights: Weights, expected: Mapping[str, Tensor]) -> None:
    """Refuse weights that differ from those expected in a name or a shape."""
    found = weights.state_dict
    for name in sorted(expected.keys() | found.keys()):
        if name not in found or name not in expected:
            holds, wants = ("no " if name not in state else "" for state in (found, expected))
            raise BundleError(
                f"{weights.path} is of another network: it holds {holds}{name}, this one has {wants}such."
            )
        if found[name].shape != expected[name].shape:
            raise BundleError(
                f"{weights.path} is of another network: its {name} has shape {tuple(found[name].shape)}, this one's "
                f"{tuple(expected[name].shape)}; set channels to that of the checkpoint."
            )
