"""Ignite handlers around the training's epochs, each named in the config's list of handlers."""

from __future__ import annotations

import logging
import math
import time
from collections.abc import Mapping, Sequence, Sized
from typing import Any, cast

import torch
from ignite.distributed import get_rank
from ignite.engine import Engine, Events
from ignite.handlers import ProgressBar
from monai.engines import SupervisedTrainer
from monai.engines.utils import IterationEvents
from torch import nn
from tqdm import tqdm

from ..console import BAR
from ..errors import BundleError

__all__ = [
    "ClipGradients",
    "EpochLines",
    "EpochSeed",
    "GradientsFirst",
    "LossProgress",
    "StopAtNonFiniteLoss",
    "loss_of",
]

_logger = logging.getLogger(__name__)


class ClipGradients:
    """Scale the gradient down where it is longer than ``max_norm``, before each step of the optimiser.

    An unrolled network without norm layers otherwise diverges at a slice that is like no other.

    Args:
        network: whose parameters are trained.
        max_norm: greatest length of the gradient of all parameters together.
    """

    def __init__(self, network: nn.Module, max_norm: float) -> None:
        self.network = network
        self.max_norm = max_norm

    def attach(self, engine: Engine) -> None:
        """Called by the trainer."""
        engine.add_event_handler(IterationEvents.BACKWARD_COMPLETED, self._clip)

    def _clip(self, engine: Engine) -> None:
        nn.utils.clip_grad_norm_(self.network.parameters(), self.max_norm)


class GradientsFirst:
    """Give the gradients their memory before the first features get theirs.

    As a rule the first backward pass makes them, one here and one there among the features that it frees. Where the
    heap is kept (:mod:`bundle.compute.memory`) it has gaps from then on that no feature fits in.

    Args:
        network: whose parameters are trained.
    """

    def __init__(self, network: nn.Module) -> None:
        self.network = network

    def attach(self, engine: Engine) -> None:
        """Called by the trainer."""
        engine.add_event_handler(Events.STARTED, self._make)

    def _make(self, engine: Engine) -> None:
        for parameter in self.network.parameters():
            if parameter.requires_grad and parameter.grad is None:
                parameter.grad = torch.zeros_like(parameter)


class EpochSeed:
    """Tell dataset and sampler which epoch it is, so that masks, noise and order follow from seed and epoch.

    They do where an epoch is once through the loader; where ``epoch_length`` makes it another number of batches, a line
    says what that means.

    Args:
        listeners: objects with ``set_epoch``.
    """

    def __init__(self, listeners: Sequence) -> None:
        self.listeners = listeners

    def attach(self, engine: Engine) -> None:
        """Called by the trainer."""
        engine.add_event_handler(Events.STARTED, self._tell_length)
        engine.add_event_handler(Events.EPOCH_STARTED, self._announce)

    def _tell_length(self, engine: Engine) -> None:
        steps, once = engine.state.epoch_length, len(cast(Sized, engine.state.dataloader))
        if steps != once:
            _logger.warning(
                "An epoch is %s batches, and all slices are %d: a slice that comes twice in an epoch comes with the "
                "same scan, and a resumed training begins anew with the first slice.",
                steps,
                once,
            )

    def _announce(self, engine: Engine) -> None:
        for listener in self.listeners:
            listener.set_epoch(engine.state.epoch)


class EpochLines:
    """Log each epoch in one line: loss, PSNR and SSIM beside zero filling's, learning rate, time.

    Args:
        curves: what :class:`~bundle.training.curves.History`, attached before, has recorded.
    """

    def __init__(self, curves: Mapping[str, Sequence]) -> None:
        self.curves = curves
        self._began: tuple[float, float] = (0.0, 0.0)

    def attach(self, engine: SupervisedTrainer) -> None:
        """Called by the trainer."""
        engine.add_event_handler(Events.EPOCH_STARTED, self._begin)
        engine.add_event_handler(Events.EPOCH_COMPLETED, self._log)

    def _begin(self, engine: SupervisedTrainer) -> None:
        self._began = time.perf_counter(), engine.optimizer.param_groups[0]["lr"]

    def _log(self, engine: SupervisedTrainer) -> None:
        start, rate = self._began
        epoch = engine.state.epoch
        values = {name: points[-1][1] for name, points in self.curves.items() if points[-1][0] == epoch}
        taken = tqdm.format_interval(time.perf_counter() - start)
        if get_rank() == 0:
            _logger.info("Epoch %d/%d: %s, lr %.3g, %s", epoch, engine.state.max_epochs, _in_words(values), rate, taken)


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
            again = ", or go on from the last epoch with --resume true" if engine.state.epoch > 1 else ""
            raise BundleError(
                f"The loss became {loss} in epoch {engine.state.epoch}, iteration {engine.state.iteration}: the "
                f"training has diverged and was stopped; lower learning_rate{again}."
            )


class LossProgress(ProgressBar):
    """Progress bar of an epoch, with the loss, on a terminal; its options are tqdm's."""

    def __init__(self, **options: Any) -> None:
        super().__init__(**{name: value for name, value in BAR.items() if name != "leave"} | options)

    def attach(self, engine: Engine) -> None:  # type: ignore[override]
        """Called by the trainer."""
        if get_rank() == 0:
            super().attach(engine, output_transform=loss_of)


def loss_of(output: Mapping) -> dict[str, float]:
    """The trainer's output to ``{"loss": number}``, for what shows it."""
    return {"loss": output["loss"].item()}


def _in_words(values: Mapping[str, float]) -> str:
    """The loss, and where the epoch was validated PSNR and SSIM of the network and of the zero-filled image."""
    words = [f"loss {values['loss']:.4g}"]
    forms = (("psnr", "PSNR {:.2f} dB", " (zero-filled {:.2f})"), ("ssim", "SSIM {:.4f}", " ({:.4f})"))
    for name, form, beside in forms:
        if name in values:
            zero_filled = beside.format(values[f"zf_{name}"]) if f"zf_{name}" in values else ""
            words.append(form.format(values[name]) + zero_filled)
    return ", ".join(words)
