"""Time training, reconstruction, data loader and start, beside peers, in one run.

    python -m bundle benchmark --peer PATH [--peer PATH] --json OUT.json

PATH is a checkout of chunmeifeng/MANet or of facebookresearch/fastMRI, kept outside this repository. All contestants of
a part have the same weights and slices and take turns; the first row is what the others' time is divided by. Without a
peer that is this bundle's network in plain torch.
"""

from __future__ import annotations

import argparse
import copy
import json
import sys
from collections.abc import Sequence
from typing import Any

import torch

from ..compute import mixes_precision
from ..errors import BundleError, errors_in_a_sentence
from ..outputs import claim_file, write_text
from ..settings import checked_device
from .contestants import Contestant, Slices, contestants, difference
from .machine import Limits, forward_flop, measure_limits
from .options import make_parser
from .peers import load_peer
from .pipeline import loader_rates, waiting_share
from .report import contest_record, contest_table, header, markdown, timing_record
from .startup import IMPORT, TRAINING, startup_times
from .timing import peak_memory, ratio, take_turns


def main(arguments: Sequence[str] | None = None) -> int:
    """The command line; returns the exit status, 1 after a mistake."""
    given = list(sys.argv[1:] if arguments is None else arguments)
    options = make_parser(__doc__).parse_args(given)
    try:
        if options.json:
            claim_file(options.json, "--json", options.overwrite)
        if (kind := checked_device(options.device).type) not in ("cpu", "cuda"):
            raise BundleError(
                f"The benchmark has no clock for {kind}, which works on its own; give --device cpu or cuda."
            )
        torch.set_num_threads(options.threads)
        with errors_in_a_sentence():
            report = run(options, given)
        if options.json:
            write_text(options.json, json.dumps(report, indent=2) + "\n")
    except BundleError as error:
        print(f"Error: {error}", file=sys.stderr)
        return 1
    return 0


def run(options: argparse.Namespace, given: Sequence[str]) -> dict[str, Any]:
    """Do the parts asked for, print their tables, return all figures; ``given`` are the options as typed."""
    peers: list[Any] = [load_peer(path) for path in options.peer] or [None]
    limits = measure_limits(options.device, options.repeats)
    report = header(options.device, limits, given)
    print(
        f"{report['device']}; torch {report['versions']['torch']}; matrix product {report['gflop_per_second']:.0f} "
        f"GFLOP/s, copy {report['gigabyte_per_second']:.0f} GB/s\n"
    )
    networks = [part for part in options.parts if part in ("training", "reconstruction")]
    for peer in peers if networks else ():
        amp = mixes_precision(True, options.device) if options.amp is None else options.amp
        entries = contestants(peer, options.channels, options.device, options.variants, amp)
        contest = {"against": entries[0].label, "differences": _differences(entries, options)}
        contest |= {part: _contest(part, entries, options, limits) for part in networks}
        report.setdefault("contests", []).append(contest)
    if "data" in options.parts:
        report["data"] = _data(options)
    if "start" in options.parts:
        report["start"] = _start(options)
    return report


def _contest(part: str, entries: list[Contestant], options: argparse.Namespace, limits: Limits) -> list[dict[str, Any]]:
    count = options.batch_size if part == "training" else options.slices
    slices = Slices.random(count, options.size, options.device)
    work = Contestant.train_step if part == "training" else Contestant.reconstruct
    tasks = {entry.label: (lambda entry=entry: work(entry, slices)) for entry in entries}
    timings = take_turns(tasks, options.repeats, options.device)
    memory = {name: peak_memory(task, options.device) for name, task in tasks.items()}
    flop = _flop(entries[0], options.size) * count * (3 if part == "training" else 1)
    half = limits.half_flop_per_second or limits.flop_per_second
    rates = {entry.label: half if entry.amp else limits.flop_per_second for entry in entries}
    rows = contest_record(timings, count, memory, flop, rates)
    channels = options.channels if not options.peer else entries[0].network.channels
    what = f"Training, a step of {count} slices" if part == "training" else f"Reconstruction, {count} slices"
    print(f"{what} of {options.size} x {options.size}, {channels} features\n\n{contest_table(rows)}\n", flush=True)
    return rows


def _flop(entry: Contestant, size: int) -> int:
    """Of a forward pass of one slice; the backward pass counts twice that."""
    return forward_flop(copy.deepcopy(entry.network), size)


def _differences(entries: list[Contestant], options: argparse.Namespace) -> dict[str, float]:
    """Of each contestant's reconstruction from the first one's, by weights that no training step has moved apart."""
    slices = Slices.random(2, options.size, options.device)
    first, *others = entries
    found = {entry.label: difference(first, entry, slices) for entry in others}
    for name, value in found.items():
        print(f"{name}: differs by at most {value:.1e} of the largest voxel")
    print()
    return found


def _data(options: argparse.Namespace) -> dict[str, Any]:
    settings = _settings(options)
    slices, start = loader_rates(settings, options.repeats)
    waiting = waiting_share(settings | {"channels": options.channels}, options.steps)
    rows = [
        ["slices/s", f"{1 / slices.median:.0f} ({1 / slices.spread[1]:.0f}-{1 / slices.spread[0]:.0f})"],
        ["seconds until the first batch", f"{start.median:.2f} ({start.spread[0]:.2f}-{start.spread[1]:.2f})"],
        [f"share of {waiting.steps} training steps spent waiting", f"{100 * waiting.share:.1f} %"],
    ]
    print(f"Data loader, {options.workers} workers, {options.size} x {options.size}\n\n{markdown(['', ''], rows)}\n")
    return {
        "seconds_per_slice": timing_record(slices),
        "seconds_to_first_batch": timing_record(start),
        "workers": options.workers,
        "waiting_share": waiting.share,
        "waiting_steps": waiting.steps,
    }


def _start(options: argparse.Namespace) -> dict[str, Any]:
    timings = startup_times(_settings(options) | {"channels": 4, "image_size": 64}, options.repeats)
    against = ratio(timings[TRAINING], timings[IMPORT])
    rows = [
        [name, f"{timing.median:.2f} ({timing.spread[0]:.2f}-{timing.spread[1]:.2f})"]
        for name, timing in timings.items()
    ]
    rows.append(["ratio", f"{against.median:.2f} ({against.spread[0]:.2f}-{against.spread[1]:.2f})"])
    print(f"From the command to the first training step, warm cache\n\n{markdown(['', 'seconds'], rows)}\n")
    return {name: timing_record(timing) for name, timing in timings.items()} | {"ratio": timing_record(against)}


def _settings(options: argparse.Namespace) -> dict[str, Any]:
    settings = {"num_workers": options.workers, "batch_size": options.batch_size, "image_size": options.size}
    settings |= {"device": options.device}
    return settings | ({"dataset_dir": str(options.data.resolve())} if options.data else {})
