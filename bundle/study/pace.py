"""How fast a method trains and reconstructs here: a few steps on slices of one pair, timed."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, NamedTuple

import torch
from monai.bundle import ConfigParser
from torch import Tensor

from ..acquisition.scan import Acquired, Acquisition
from ..errors import errors_in_a_sentence
from ..evaluation.metrics import METRICS
from .configs import parser_of
from .plan import Run, Study
from .sections import BUNDLE_ROOT

__all__ = ["Pace", "pace_of"]

LONGEST = 5.0  # s; a batch that would take longer on a CPU is timed by one slice of it, which needs less memory
AT_ONCE = 4  # slices that a validation or test reconstructs at once


class Pace(NamedTuple):
    """What a method costs.

    Attributes:
        step: s of a training step, with the scan of its slices; 0 for a method without weights.
        tested: s of a slice in a validation or test: scan, network, metrics of its image and of the zero-filled one.
        parameters: of the network.
    """

    step: float
    tested: float
    parameters: int


def pace_of(
    study: Study, run: Run, t1: Tensor, t2: Tensor, device: str | None = None, threads: int | None = None
) -> Pace:
    """Time a run's method, with the study's network, batch and matrix. Writes nothing.

    Args:
        t1, t2: aligned slices ``(s, h, w)``, from the middle of a head.
        device: None for the first GPU, or the CPU where there is none.
        threads: of the CPU; None for as many as torch takes.

    Raises:
        BundleError: a setting is wrong.
    """
    trains = study.trains(run.method)
    device = device or ("cuda:0" if torch.cuda.is_available() else "cpu")
    given = study.overrides(run) | {"bundle_root": str(BUNDLE_ROOT), "device": device}
    parser = parser_of(study, run, "training" if trains else "evaluating", given)
    with _threads(threads), errors_in_a_sentence():
        scan: Acquisition = parser.get_parsed_content(f"{'train' if trains else 'validate'}::dataset::acquisition")
        scanned, scanning = _scanned(scan, t1, t2)
        step = _step(parser, scanned, scanning) if trains else 0.0
        tested, parameters = _tested(parser, scanned)
    measured = _seconds(lambda: _measure(scanned, t2[:AT_ONCE]), device) / len(t2[:AT_ONCE])
    return Pace(step, tested + scanning + 2 * measured, parameters)


def _scanned(scan: Acquisition, t1: Tensor, t2: Tensor) -> tuple[Acquired, float]:
    """As many slices as there are, each scanned alone, as for a training, and the seconds that one took."""
    scan.set_random_state(seed=0)
    scan(t1[0], t2[0])
    start = time.perf_counter()
    each = [scan(*pair) for pair in zip(t1, t2)]
    seconds = (time.perf_counter() - start) / len(each)
    return Acquired(*map(torch.stack, zip(*each))), seconds


def _step(parser: ConfigParser, scanned: Acquired, scanning: float) -> float:
    """Seconds of a step with the whole batch, whose slices workers of a GPU's training scan meanwhile."""
    names = ("network", "loss", "optimizer", "inferer")
    network, loss, optimizer, inferer = (parser.get_parsed_content(f"train::{name}") for name in names)
    device, batch = (parser.get_parsed_content(name) for name in ("device", "batch_size"))
    network.train()

    def step(count: int) -> None:
        chosen = torch.arange(count) % len(scanned.image)
        image, target = (stack[chosen].to(device) for stack in (scanned.image, scanned.full_kspace))
        optimizer.zero_grad()
        loss(inferer(image, network), target).backward()
        optimizer.step()

    one = _seconds(lambda: step(1), device)
    on_cpu = torch.device(device).type == "cpu"
    whole = one * batch if on_cpu and one * batch > LONGEST else _seconds(lambda: step(batch), device)
    workers = 0 if on_cpu else parser.get_parsed_content("num_workers")
    return max(whole, batch * scanning / workers) if workers else whole + batch * scanning


def _tested(parser: ConfigParser, scanned: Acquired) -> tuple[float, int]:
    """Seconds of the network for one slice of several, and its parameters."""
    network, inferer = (parser.get_parsed_content(name) for name in ("train::network", "validate::inferer"))
    device = parser.get_parsed_content("device")
    network.eval()
    volume = scanned.image[:AT_ONCE].movedim(0, -1)[None].to(device)
    with torch.inference_mode():
        seconds = _seconds(lambda: inferer(volume, network), device)
    return seconds / volume.shape[-1], sum(parameter.numel() for parameter in network.parameters())


def _measure(scanned: Acquired, t2: Tensor) -> None:
    image, reference = (stack.permute(1, 2, 0) for stack in (scanned.zero_filled[: len(t2)], t2))
    for metric in METRICS.values():
        metric(image, reference)


def _seconds(work: Callable[[], Any], device: torch.device | str) -> float:
    """The shorter of two, after one that warms up; what else the machine does is not counted twice so."""
    took = []
    for _ in range(3):
        start = time.perf_counter()
        work()
        if torch.device(device).type == "cuda":
            torch.cuda.synchronize(device)
        took.append(time.perf_counter() - start)
        if took[0] > LONGEST:  # warming up is little of it
            break
    return min(took[1:] or took)


@contextmanager
def _threads(number: int | None) -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(number or before)
    try:
        yield
    finally:
        torch.set_num_threads(before)
