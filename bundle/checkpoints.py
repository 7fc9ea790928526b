"""Weights on disk: which file a run loads, what a refused one is told, and what a training needs to go on."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from pathlib import Path

import torch
from ignite.distributed import get_rank
from ignite.engine import Engine, Events
from torch import Tensor, nn

from .errors import BundleError
from .flags import flag, plain
from .networks.reference import convert_reference_state_dict
from .outputs import atomic_path

__all__ = ["BEST", "LAST", "TrainingCheckpoints"]
__all__ += ["channels_of", "find_checkpoint", "load_weights", "stage_of", "start_from"]

BEST = "model.pt"  # the best weights so far, a plain state dict
LAST = "last.pt"  # all that a training needs to go on

_FIRST_CONVOLUTIONS = (
    "image_stage.t1_stream.stem.weight",  # MANet
    "stream.stem.weight",  # Xiang
    "encoder.0.0.weight",  # UNetT2
    "image_net.first.weight",  # DuDoRNet
)
_logger = logging.getLogger(__name__)


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


def _read(checkpoint: str | Path) -> Mapping:
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
    content = _read(checkpoint)
    weights = content.get("network", content.get("state_dict", content))
    if not isinstance(weights, Mapping) or not all(
        isinstance(name, str) and isinstance(value, Tensor) for name, value in weights.items()
    ):
        raise BundleError(f"{checkpoint} does not hold the weights of a network, which are tensors by name.")
    published = any(key.startswith("UNet_") for key in weights)
    return convert_reference_state_dict(weights) if published else weights


class TrainingCheckpoints:
    """Handler of the trainer: after each epoch save what is needed to go on, and the best weights; resume from them.

    Masks, noise and order of the slices follow from seed and epoch (:class:`~bundle.datasets.SliceDataset`), so that
    the epoch is their random state; torch's own is saved beside it.

    Args:
        output_dir: gets ``model.pt`` and ``last.pt``.
        network: the plain network, not its wrapper for several devices.
        optimizer, lr_scheduler, trained along with it.
        evaluator: its ``key_metric_name`` says which weights are best (higher is better).
        history: curves, kept with the checkpoint (see :class:`~bundle.handlers.History`).
        resume: whether to go on from ``last.pt`` where there is one.

    Raises:
        BundleError: ``last.pt`` is of another network.
    """

    def __init__(
        self,
        output_dir: str,
        network: nn.Module,
        optimizer: torch.optim.Optimizer,
        lr_scheduler: torch.optim.lr_scheduler.LRScheduler,
        evaluator: Engine,
        history: dict[str, list],
        resume: bool = False,
    ) -> None:
        self.output_dir = Path(str(output_dir))
        self.network = network
        self.trained = {"optimizer": optimizer, "lr_scheduler": lr_scheduler}
        self.evaluator = evaluator
        self.history = history
        self.resume = flag("resume", resume)
        self.best = float("-inf")

    def attach(self, engine: Engine) -> None:
        """Called by the trainer."""
        engine.add_event_handler(Events.STARTED, self._resume)
        engine.add_event_handler(Events.EPOCH_COMPLETED, self._save)

    def _resume(self, engine: Engine) -> None:
        path = self.output_dir / LAST
        if not self.resume or not path.exists():
            return
        load_weights(self.network, str(path))
        state = _read(path)
        if "optimizer" not in state:
            raise BundleError(f"{path} holds weights only, no training to go on from; give them as --checkpoint.")
        for name, part in self.trained.items():
            part.load_state_dict(state[name])
        torch.set_rng_state(state["random_state"])
        self.best = state["best"]
        self.history.update(state["history"])
        engine.state.epoch = state["epoch"]
        engine.state.iteration = state["epoch"] * engine.state.epoch_length
        _logger.info("Resumed from %s after epoch %d of %d.", path, state["epoch"], engine.state.max_epochs)

    def _save(self, engine: Engine) -> None:
        if get_rank() > 0:
            return
        score = self.evaluator.state.metrics.get(self.evaluator.state.key_metric_name, self.best)
        if score > self.best:
            self.best = float(score)
            self._write(BEST, self.network.state_dict())
        state = {name: part.state_dict() for name, part in self.trained.items()}
        state |= {"network": self.network.state_dict(), "epoch": engine.state.epoch, "best": self.best}
        state |= {"history": self.history, "random_state": torch.get_rng_state()}
        self._write(LAST, state)

    def _write(self, name: str, state: Mapping) -> None:
        with atomic_path(self.output_dir / name) as path:
            torch.save(state, path)
