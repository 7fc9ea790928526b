"""How many slices a second the training's data loader serves, and how long a training waits for them."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from monai.bundle import ConfigParser

from ..errors import BundleError
from ..paths import data_root, own_path
from .timing import Timing

__all__ = ["Waiting", "loader_rates", "waiting_share"]


@dataclass(frozen=True)
class Waiting:
    """Where the time of some training steps went.

    Attributes:
        steps: how many were timed.
        seconds: all of them.
        waited: in which the training had no batch to work on.
    """

    steps: int
    seconds: float
    waited: float

    @property
    def share(self) -> float:
        """Of the time, between 0 and 1."""
        return self.waited / self.seconds


def loader_rates(settings: Mapping[str, Any], repeats: int) -> tuple[Timing, Timing]:
    """Serve an epoch ``repeats`` times, as the training does: the workers are started anew for each.

    Args:
        settings: overrides of ``configs/train.yaml``.
        repeats: epochs that are timed, after one that is not.

    Returns:
        seconds a slice once the first batch is there, and seconds until it is.
    """
    loader = _training(settings).get_parsed_content("train::dataloader")
    slices, starts = [], []
    for epoch in range(1 + repeats):
        loader.dataset.set_epoch(epoch)
        begin = time.perf_counter()
        batches = iter(loader)
        first = len(next(batches)["image"])
        ready = time.perf_counter()
        if len(loader) == 1:
            raise BundleError("An epoch of one batch tells nothing of a loader; lower --batch-size, or give more data.")
        served = sum(len(batch["image"]) for batch in batches)
        end = time.perf_counter()
        if epoch > 0:
            starts.append(ready - begin)
            slices.append((end - ready) / served)
        assert first + served == len(loader.dataset)
    return Timing(tuple(slices)), Timing(tuple(starts))


def waiting_share(settings: Mapping[str, Any], steps: int) -> Waiting:
    """Train some steps of ``configs/train.yaml`` and clock what the training waits for its loader."""
    parser = _training(settings)
    names = ("dataloader", "network", "inferer", "loss", "optimizer", "trainer::prepare_batch")
    loader, network, inferer, loss, optimizer, prepare = (parser.get_parsed_content(f"train::{name}") for name in names)
    device = parser.get_parsed_content("device")
    network.train()
    batches = iter(loader)
    next(batches)  # the workers' start
    waited, begin = 0.0, time.perf_counter()
    for _ in range(steps):
        asked = time.perf_counter()
        batch = next(batches, None)
        if batch is None:
            raise BundleError(
                f"The data have {len(loader)} batches an epoch, too few for {steps} steps behind the first; lower "
                "--steps or --batch-size, or give more data."
            )
        waited += time.perf_counter() - asked
        image, target = prepare(batch, device, non_blocking=True)
        optimizer.zero_grad(set_to_none=True)
        value = loss(inferer(image, network), target)
        value.backward()
        optimizer.step()
        value.item()  # as the handlers do; the device has finished
    return Waiting(steps, time.perf_counter() - begin, waited)


def _training(settings: Mapping[str, Any]) -> ConfigParser:
    parser = ConfigParser()
    parser.read_config(str(own_path("configs/train.yaml")))
    parser.update({"bundle_root": str(data_root()), **settings})
    parser.get_parsed_content("demo_data")  # made where the settings name no data
    return parser
