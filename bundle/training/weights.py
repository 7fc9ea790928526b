"""Weights on disk: which file a run loads, which network they are of, and why a file is refused."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import torch
from torch import Tensor, nn

from ..errors import BundleError
from ..networks.published_weights import convert_reference_state_dict
from ..settings import plain

__all__ = [
    "BEST",
    "LAST",
    "channels_of",
    "find_checkpoint",
    "load_weights",
    "read_checkpoint",
    "stage_of",
    "start_from",
]

BEST = "model.pt"  # the best weights so far, a plain state dict
LAST = "last.pt"  # all that a training needs to go on

_FIRST_CONVOLUTIONS = (
    "image_stage.t1_stream.stem.weight",  # MANet
    "stream.stem.weight",  # Xiang
    "encoder.0.0.weight",  # UNetT2
    "image_net.first.weight",  # DuDoRNet
)


def find_checkpoint(checkpoint: str | None, output_dir: str, bundle_root: str) -> str:
    """The weights to load: ``checkpoint`` if given, else ``output_dir/model.pt``, else ``bundle_root/models/model.pt``.

    Raises:
        BundleError: the file does not exist.
    """
    trained, shipped = Path(str(output_dir)) / BEST, Path(bundle_root) / "models" / BEST
    checkpoint = plain(checkpoint)
    path = Path(str(checkpoint)) if checkpoint is not None else trained if trained.exists() else shipped
    if not path.is_file():
        raise BundleError(f"The checkpoint {path} does not exist; give another with --checkpoint FILE, or train one.")
    return str(path)


def channels_of(checkpoint: str) -> int:
    """Number of features of the network whose weights a file holds: as many as its first convolution makes.

    Raises:
        BundleError: not the weights of a network of this bundle.
    """
    weights = _read_weights(checkpoint)
    first = next((name for name in _FIRST_CONVOLUTIONS if name in weights), None)
    if first is None:
        raise BundleError(f"{checkpoint} does not hold the weights of a MANet or of a network it is compared with.")
    return weights[first].shape[0]


def stage_of(checkpoint: str) -> str:
    """MANet's ``stage`` that a file's weights are of: ``"image"`` where there is no k-space stage, else ``"both"``."""
    modules = {name.partition(".")[0] for name in _read_weights(checkpoint)}
    return "image" if "image_stage" in modules and "kspace_stage" not in modules else "both"


def start_from(network: nn.Module, checkpoint: str | None) -> nn.Module:
    """Load the weights that a training begins with, if a file is given; a training that is resumed replaces them."""
    checkpoint = plain(checkpoint)
    return network if checkpoint is None else load_weights(network, checkpoint)


def load_weights(network: nn.Module, checkpoint: str | None) -> nn.Module:
    """Load ``model.pt``, ``last.pt`` or the published network's weights into ``network``, and return it.

    Args:
        network: gets the weights.
        checkpoint: the file; None for a network without any, such as zero filling.

    Raises:
        BundleError: the file cannot be read, or its weights belong to another network.
    """
    expected = network.state_dict()
    weights = {} if checkpoint is None else _read_weights(checkpoint)
    if checkpoint is None and expected:
        raise BundleError("The network has weights to load, and no checkpoint was given; give one with --checkpoint.")
    for name in sorted(expected.keys() | weights.keys()):
        if name not in weights or name not in expected:
            holds, wants = ("no " if name not in state else "" for state in (weights, expected))
            raise BundleError(f"{checkpoint} is of another network: it holds {holds}{name}, this one has {wants}such.")
        if weights[name].shape != expected[name].shape:
            raise BundleError(
                f"{checkpoint} is of another network: its {name} has shape {tuple(weights[name].shape)}, this one's "
                f"{tuple(expected[name].shape)}; set channels to that of the checkpoint."
            )
    network.load_state_dict(weights)
    return network


def read_checkpoint(checkpoint: str | Path) -> Mapping:
    try:
        content = torch.load(checkpoint, map_location="cpu", weights_only=True)
    except MemoryError:
        raise
    except Exception as error:  # torch's unpickler fails on foreign bytes with whatever it stumbles over
        raise BundleError(f"{checkpoint} is not a checkpoint that can be read; was it cut short?") from error
    if not isinstance(content, Mapping):
        raise BundleError(f"{checkpoint} holds no state dict but a {type(content).__name__}.")
    return content


def _read_weights(checkpoint: str | Path) -> Mapping[str, Tensor]:
    content = read_checkpoint(checkpoint)
    weights = content.get("network", content.get("state_dict", content))
    if not isinstance(weights, Mapping) or not all(
        isinstance(name, str) and isinstance(value, Tensor) for name, value in weights.items()
    ):
        raise BundleError(f"{checkpoint} does not hold the weights of a network, which are tensors by name.")
    published = any(key.startswith("UNet_") for key in weights)
    return convert_reference_state_dict(weights) if published else weights
