"""What a training needs to go on: saved after each epoch, beside the best weights, and restored with ``resume``."""

from __future__ import annotations

import io
import logging
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from ignite.distributed import get_rank, get_world_size
from ignite.engine import Engine, Events
from torch import nn

from ..errors import BundleError
from ..outputs import write_whole
from ..paths import path_of
from ..settings import flag
from ..settings.snapshot import difference
from ..sole_writer import SoleWriter
from .checkpoints import BEST, LAST, read_checkpoint
from .weights import Weights, load_weights

__all__ = ["TrainingCheckpoints", "check_resumable"]

_logger = logging.getLogger(__name__)
_PROCESSES = "number of processes"  # each has batch_size slices


def check_resumable(output_dir: str, resume: bool, settings: Mapping[str, Any]) -> None:
    """Refuse to go on with other settings, before anything is computed; what may change does.

    Args:
        output_dir: may hold ``last.pt``.
        resume: whether to go on from it.
        settings: of this run, as :func:`bundle.settings.snapshot.snapshot` gives them.

    Raises:
        BundleError: one differs from the checkpoint's, with both values; or the best weights of a training stand there
            alone, which would be replaced.
    """
    folder = path_of("output_dir", output_dir)
    if not flag("resume", resume):
        return
    if (folder / LAST).is_file():
        _compare(folder / LAST, read_checkpoint(folder / LAST)[0], settings)
    elif (folder / BEST).is_file():
        raise BundleError(
            f"{folder} holds {BEST} but no {LAST} that a training could go on from; give another output_dir, and "
            f"--start_from '{folder / BEST}' to begin with these weights."
        )


class TrainingCheckpoints:
    """Handler of the trainer: after each epoch save what is needed to go on, and the best weights; resume from them.

    Meanwhile no other training may write to the folder (:class:`bundle.sole_writer.SoleWriter`).

    Masks, noise and order of the slices follow from seed and epoch (:class:`~bundle.acquisition.SliceDataset`), so that
    the epoch is their random state; torch's own is saved beside it.

    Args:
        output_dir: gets ``model.pt`` and ``last.pt``.
        network: the plain network, not its wrapper for several devices.
        optimizer, lr_scheduler: trained along with it.
        evaluator: its ``key_metric_name`` says which weights are best (higher is better).
        history: curves, kept with the checkpoint (see :class:`~bundle.training.curves.History`).
        resume: whether to go on from ``last.pt`` where there is one.
        settings: what decides how the training goes, kept in ``last.pt`` (see :func:`check_resumable`).

    Raises:
        BundleError: ``last.pt`` is of another network, or was trained with other settings; another training writes to
            the folder.
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
        settings: Mapping[str, Any] | None = None,
    ) -> None:
        self.output_dir = path_of("output_dir", output_dir)
        self.network = network
        self.trained: dict[str, Any] = {"optimizer": optimizer, "lr_scheduler": lr_scheduler}
        self.evaluator = evaluator
        self.history = history
        self.resume = flag("resume", resume)
        self.settings = settings
        self.best = float("-inf")
        self.sole_writer = SoleWriter(self.output_dir, "training")

    def attach(self, engine: Engine) -> None:
        """Called by the trainer."""
        if get_rank() == 0:
            self.sole_writer.attach(engine)
        engine.add_event_handler(Events.STARTED, self._resume)
        engine.add_event_handler(Events.EPOCH_COMPLETED, self._save)

    def _resume(self, engine: Engine) -> None:
        path = self.output_dir / LAST
        if not self.resume or not path.exists():
            return
        state, _ = read_checkpoint(path)
        load_weights(self.network, Weights.of(path, state))
        if "optimizer" not in state:
            raise BundleError(f"{path} holds weights only, no training to go on from; give them as --start_from.")
        for name in ("lr_scheduler", "random_state", "best", "history", "epoch"):
            if name not in state:
                raise BundleError(f"{path} holds no {name}, so that no training can go on from it; begin anew.")
        if self.settings is not None and not _compare(path, state, self.settings):
            _logger.warning("%s does not say with which settings it was trained; they are taken to be these.", path)
        _tell_schedule(self.trained["lr_scheduler"].state_dict(), state["lr_scheduler"])
        for name, part in self.trained.items():
            part.load_state_dict(state[name])
        torch.set_rng_state(state["random_state"])
        self.best = self._best_of(path, state["best"])
        self.history.update(state["history"])
        engine.state.epoch = state["epoch"]
        engine.state.iteration = state["epoch"] * engine.state.epoch_length
        _logger.info("Resumed from %s after epoch %d of %d.", path, state["epoch"], engine.state.max_epochs)
        if state["epoch"] >= (engine.state.max_epochs or 0):
            _logger.warning("Nothing is left to train: give more epochs than the %d that it had.", state["epoch"])

    def _best_of(self, path: Path, best: float) -> float:
        """The measure that the weights of the next validation have to exceed."""
        if best == float("-inf") or (self.output_dir / BEST).is_file():
            return best
        _logger.warning(
            "%s stands without %s, the best weights (%.4f): those of the next validation are taken for them.",
            path,
            BEST,
            best,
        )
        return float("-inf")

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
        if self.settings is not None:
            state["settings"] = {**self.settings, _PROCESSES: get_world_size()}
        self._write(LAST, state)

    def _write(self, name: str, state: Mapping) -> None:
        content = io.BytesIO()  # torch.save tells of a full disk in words of its own
        torch.save(state, content)
        write_whole(self.output_dir / name, content.getbuffer())


def _compare(path: Path, state: Mapping, settings: Mapping[str, Any]) -> bool:
    """Whether a checkpoint tells its settings; BundleError where they are not those of this run."""
    if "settings" not in state:
        return False
    if other := difference(state["settings"], {**settings, _PROCESSES: get_world_size()}):
        name, before, now = other
        raise BundleError(
            f"{path} was trained with {name} {_text(before)}, and this run has {_text(now)}; resume it with the same "
            "settings (epochs, device and paths may differ), or train anew in another output_dir."
        )
    return True


def _text(value: Any) -> str:
    return "null" if value is None else str(value).lower() if isinstance(value, bool) else str(value)


def _tell_schedule(now: Mapping[str, Any], before: Mapping[str, Any]) -> None:
    """Tell where the schedule of the learning rate was made for another number of epochs; it is kept."""
    for name in now.keys() & before.keys() - {"last_epoch", "base_lrs"}:
        if isinstance(now[name], (int, float)) and not name.startswith("_") and now[name] != before[name]:
            _logger.warning("The learning rate keeps its schedule: %s is %s, not %s.", name, before[name], now[name])
