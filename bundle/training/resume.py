"""What a training needs to go on: saved after each epoch, beside the best weights, and restored with ``resume``."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from ignite.distributed import get_rank
from ignite.engine import Engine, Events
from torch import nn

from ..errors import BundleError
from ..outputs import atomic_path
from ..settings import flag
from .weights import BEST, LAST, Weights, load_weights, read_checkpoint

__all__ = ["TrainingCheckpoints"]

_logger = logging.getLogger(__name__)


class TrainingCheckpoints:
    """Handler of the trainer: after each epoch save what is needed to go on, and the best weights; resume from them.

    Masks, noise and order of the slices follow from seed and epoch (:class:`~bundle.acquisition.SliceDataset`), so that
    the epoch is their random state; torch's own is saved beside it.

    Args:
        output_dir: gets ``model.pt`` and ``last.pt``.
        network: the plain network, not its wrapper for several devices.
        optimizer, lr_scheduler: trained along with it.
        evaluator: its ``key_metric_name`` says which weights are best (higher is better).
        history: curves, kept with the checkpoint (see :class:`~bundle.training.curves.History`).
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
        self.trained: dict[str, Any] = {"optimizer": optimizer, "lr_scheduler": lr_scheduler}
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
        state = read_checkpoint(path)
        load_weights(self.network, Weights.of(path, state))
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
        validation: Any = self.evaluator.state
        score = validation.metrics.get(validation.key_metric_name, self.best)
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
