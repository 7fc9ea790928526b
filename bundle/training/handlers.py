"""Ignite handlers around the training's epochs, each named in the config's list of handlers."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import cast

from ignite.distributed import get_rank
from ignite.engine import Engine, Events
from ignite.handlers import ProgressBar
from monai.engines.utils import IterationEvents

from ..errors import BundleError

__all__ = ["EpochSeed", "LossProgress", "StopAtNonFiniteLoss", "loss_of"]


class EpochSeed:
    """Tell dataset and sampler which epoch it is, so that masks, noise and order follow from seed and epoch.

    Args:
        listeners: objects with ``set_epoch``.
    """

    def __init__(self, listeners: Sequence) -> None:
        self.listeners = listeners

    def attach(self, engine: Engine) -> None:
        """Called by the trainer."""
        engine.add_event_handler(Events.EPOCH_STARTED, self._announce)

    def _announce(self, engine: Engine) -> None:
        for listener in self.listeners:
            listener.set_epoch(engine.state.epoch)


class StopAtNonFiniteLoss:
    """End a training whose loss is NaN or infinite, before it is saved.

    Raises:
        BundleError: with epoch and iteration.
    """

    def attach(self, engine: Engine) -> None:
        """Called by the trainer."""
        engine.add_event_handler(IterationEvents.LOSS_COMPLETED, self._check)

    def _check(self, engine: Engine) -> None:
        loss = loss_of(cast(Mapping, engine.state.output))["loss"]
        if not math.isfinite(loss):
            raise BundleError(
                f"The loss became {loss} in epoch {engine.state.epoch}, iteration {engine.state.iteration}: the "
                "training has diverged and was stopped; lower learning_rate, or go on from the last epoch with "
                "--resume true."
            )


class LossProgress(ProgressBar):
    """Progress bar of an epoch, with the loss."""

    def attach(self, engine: Engine) -> None:  # type: ignore[override]
        """Called by the trainer."""
        if get_rank() == 0:
            super().attach(engine, output_transform=loss_of)


def loss_of(output: Mapping) -> dict[str, float]:
    """The trainer's output to ``{"loss": number}``, for what shows it."""
    return {"loss": output["loss"].item()}
