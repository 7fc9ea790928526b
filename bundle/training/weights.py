"""Weights: which network they are of, and why a file's are refused; an exported network brings its own."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from ..compute.exported import EXPORTS, read_exported
from ..errors import BundleError
from ..networks import multicoil_network, name_from, network_from, settings_from
from ..networks.published_weights import convert_reference_state_dict
from ..paths import path_of
from ..settings import plain
from .checkpoints import BEST, LAST, find_checkpoint, read_checkpoint, read_file

__all__ = [
    "BEST",
    "LAST",
    "Weights",
    "find_checkpoint",
    "load_weights",
    "multicoil_network_of",
    "network_of",
    "read_checkpoint",
    "read_weights",
    "start_from",
]

_logger = logging.getLogger(__name__)
_WRAPPED = "module."


@dataclass(frozen=True)
class Weights:
    """The weights that a checkpoint holds.

    Attributes:
        path: of the checkpoint.
        state_dict: tensors by name, as this bundle's networks name them.
        sha256: of the file, in hexadecimal digits.
        module: the network itself, with its weights, where the file is an export; else None.
    """

    path: Path
    state_dict: Mapping[str, Tensor]
    sha256: str = ""
    module: nn.Module | None = None

    @classmethod
    def read(cls, path: Path) -> Weights:
        """Those of a file, a checkpoint or an export.

        Raises:
            BundleError: the file cannot be read, or holds no weights or such as are not finite.
        """
        if path.suffix in EXPORTS:
            content, sha256 = read_file(path)
            module = read_exported(path, content)
            return cls(path, module.state_dict(), sha256, module)
        return cls.of(path, *read_checkpoint(path))

    @classmethod
    def of(cls, path: Path, content: Mapping, sha256: str = "") -> Weights:
        """Those in what a checkpoint holds: ``model.pt``, ``last.pt`` or one of the published network.

        Raises:
            BundleError: there are none, or some that are not finite.
        """
        weights = content.get("network", content.get("state_dict", content))
        if not isinstance(weights, Mapping) or not all(
            isinstance(name, str) and isinstance(value, Tensor) for name, value in weights.items()
        ):
            raise BundleError(f"{path} does not hold the weights of a network, which are tensors by name.")
        for name, value in weights.items():
            if not torch.isfinite(value).all():
                raise BundleError(
                    f"{path} holds NaN or infinity, in {name}; its training diverged, take other weights."
                )
        if weights and all(name.startswith(_WRAPPED) for name in weights):  # as DataParallel names them
            weights = {name.removeprefix(_WRAPPED): value for name, value in weights.items()}
        published = any(name.startswith("UNet_") for name in weights)
        return cls(path, convert_reference_state_dict(weights) if published else weights, sha256)

    def record(self) -> dict[str, Any]:
        """Which weights these are, for a report: file, class of the network and what it was built with, checksum."""
        network = {"network": self._name(), "network_settings": settings_from(self.state_dict)}
        return {"file": str(self.path), **network, "sha256": self.sha256}

    def __str__(self) -> str:
        """The same, in words."""
        network = self._name() or "a network of no class of this bundle"
        return f"{self.path} ({network}, SHA-256 {self.sha256[:12]})"

    def setting(self, name: str) -> Any:
        """What the network of these weights was built with, such as its ``channels``.

        Raises:
            BundleError: they are of no network of this bundle, or of one without such a setting.
        """
        settings = settings_from(self.state_dict)
        if settings is None:
            raise self._unknown()
        if name not in settings:
            raise BundleError(
                f"{self.path} is of another network, which has {', '.join(settings)} but no {name}; add that network's "
                "overlay, of configs/experiments/, to the config files."
            )
        return settings[name]

    def network(self) -> nn.Module:
        """The network that these weights are of, built as they tell; it does not have them yet, unless it is an export.

        Raises:
            BundleError: they are of no network of this bundle.
        """
        network = network_from(self.state_dict) if self.module is None else self.module
        if network is None:
            raise self._unknown()
        return network

    def _name(self) -> str | None:
        """The class of the network, or of an export that does not tell it the kind of file."""
        return name_from(self.state_dict) or (None if self.module is None else self.path.suffix[1:].upper())

    def _unknown(self) -> BundleError:
        return BundleError(f"{self.path} does not hold the weights of a network of this bundle.")


def read_weights(checkpoint: str | None, output_dir: str, bundle_root: str | None = None) -> Weights:
    """The weights of the file that :func:`find_checkpoint` finds.

    Raises:
        BundleError: the file does not exist, cannot be read, or holds no weights or such as are not finite.
    """
    return Weights.read(find_checkpoint(checkpoint, output_dir, bundle_root))


def network_of(weights: Weights) -> nn.Module:
    """:meth:`Weights.network`, for a config."""
    return weights.network()


def multicoil_network_of(weights: Weights, iterations: int = 2) -> nn.Module:
    """The network for raw k-space that takes these weights; BundleError where they are not of an unrolled network."""
    return multicoil_network(weights.state_dict, str(weights.path), iterations)


def start_from(network: nn.Module, checkpoint: str | None) -> nn.Module:
    """Load the weights that a training begins with, if a file is given; a training that is resumed replaces them."""
    given = plain(checkpoint)
    return network if given is None else load_weights(network, str(path_of("start_from", given)))


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
        weights = Weights.read(Path(weights))
    _compare(weights, expected)
    network.load_state_dict(weights.state_dict)
    if weights.sha256:  # a training that is resumed tells it itself
        _logger.info("Weights: %s.", weights)
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
