"""Run a study: train and test every method under one protocol, then write tables, figures and a report.

    python -m bundle study configs/studies/smoke.yaml --output DIR

Run again, it goes on where it stopped, and does nothing twice. What it writes to DIR:

    results.csv    every tested subject: method, scan, seed, NMSE, PSNR, SSIM
    tables/        Markdown, LaTeX, CSV
    figures/       reconstructions side by side, curves
    report.html    all of it on one page, with the protocol
    runs/          weights, logs, metrics and reconstructions of each run

With --estimate it only says how many trainings, hours and gigabytes that would be.
"""

from __future__ import annotations

import argparse
import os
import shutil
import sys
import time
from collections.abc import Sequence
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from ..console import end_bars
from ..data.spread import worker_error
from ..errors import BundleError
from ..outputs import begin_run, claim_outputs, write_text
from ..paths import expanded
from ..settings import checked_device, whole_number
from ..sole_writer import SoleWriter
from .estimate import Timer, estimate, rounded
from .figures import draw_all
from .pace import Pace, pace_of
from .plan import Run, Study
from .report import check_report, write_report
from .runner import dask_client, dask_executor, do_runs, local_executor
from .runs import collect, is_done, read_record
from .study_file import read_study
from .tables import study_tables


def main(arguments: Sequence[str] | None = None) -> int:
    """The command line; returns the exit status, 1 after a mistake or where a run failed."""
    options, start = _parse(arguments), time.process_time()
    begin_run()
    try:
        study = read_study(options.study, dict(options.data))
        if options.output is not None:
            _claim(study, options.output)
        if unknown := set(options.methods or ()) - set(study.methods):
            raise BundleError(f"The study has no method {min(unknown)!r}; it has {', '.join(study.methods)}.")
        runs = [run for run in study.runs() if options.methods is None or run.method in options.methods]
        if options.estimate:
            print(_estimate(study, runs, options, start))
            return 0
        failed = 0 if options.report_only else _do(study, runs, options)
        publish(study, options.output)
    except BundleError as error:
        end_bars()
        print(f"Error: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        end_bars()
        print("Interrupted; the same command goes on from here.", file=sys.stderr)
        return 130
    if failed:
        print(f"{failed} of the runs failed; see above, and their log.txt.", file=sys.stderr)
    return int(failed > 0)


def _claim(study: Study, output_dir: Path) -> None:
    """Refuse a folder that cannot be written, or holds what a study writes and no study, or another one's."""
    claim_outputs(output_dir, [])
    there = [name for name in ("results.csv", "report.html", "tables") if (output_dir / name).exists()]
    if there and not (output_dir / "runs").is_dir():
        raise BundleError(f"{output_dir} holds {', '.join(there)}, but no runs of a study; give another --output.")
    check_report(study, output_dir)


def publish(study: Study, output_dir: Path) -> None:
    """Write results, tables, figures and report of the runs that are done; BundleError where none is."""
    results = collect(study, output_dir)
    if results.empty:
        raise BundleError(f"No run of the study has ended well, so there is nothing to report; see {output_dir}/runs.")
    write_text(output_dir / "results.csv", results.to_csv(index=False, lineterminator="\n"))
    tables = study_tables(study, results)
    drawings = draw_all(study, results, output_dir)
    records = [read_record(run, output_dir) for run in study.runs()]
    report = write_report(study, results, tables, drawings, output_dir, records)
    for table in tables:
        table.write(output_dir / "tables")
        print(f"\n{table.markdown()}")
    print(f"\nReport: {report}, tables: {output_dir / 'tables'}, figures: {output_dir / 'figures'}")


def _do(study: Study, runs: Sequence[Run], options: argparse.Namespace) -> int:
    with SoleWriter(options.output, "study", "another --output"):
        if options.scheduler:
            with dask_client(options.scheduler) as client:
                return do_runs(study, runs, options.output, dask_executor(client), options.threads or 1)
        devices, threads = _devices(options)
        return do_runs(study, runs, options.output, local_executor(devices), threads)


def _devices(options: argparse.Namespace) -> tuple[list[str], int]:
    """Where runs are done on this machine, and the threads of each."""
    devices = options.devices or [f"cuda:{number}" for number in range(torch.cuda.device_count())] or ["cpu"]
    for device in devices:
        checked_device(device)
    return devices, options.threads or max(1, (os.cpu_count() or 1) // len(devices))


def _estimate(study: Study, runs: Sequence[Run], options: argparse.Namespace, start: float) -> str:
    """What the runs that are not done yet would cost; ``start``: s that a process takes before it begins."""
    output = options.output.resolve() if options.output else Path.cwd()
    runs = [run for run in runs if options.output is None or not is_done(study, run, output)]
    if not runs:
        return f"All runs that are asked for are done: {output}."
    for dataset in study.datasets.values():
        if dataset.demo and not Path(dataset.folder).exists():
            raise BundleError(
                f"--estimate reads the demo data; make them first: python -m bundle demo {dataset.folder}"
            )
    with dask_client(options.scheduler) if options.scheduler else nullcontext() as client:
        if client is not None:
            slots, timer = _cluster(client, options.scheduler, options.threads or 1)
            where = f"on the cluster's workers, {slots} at once"
        else:
            devices, threads = _devices(options)
            slots, where = len(devices), f"on {', '.join(devices)}"

            def timer(study: Study, run: Run, t1: Tensor, t2: Tensor) -> Pace:
                return pace_of(study, run, t1, t2, devices[0], threads)

        told = estimate(study, runs, timer, start).text(slots, where)
    there = next(folder for folder in (output, *output.parents) if folder.exists())
    return f"{told}\n{rounded(shutil.disk_usage(there).free / 1e9)} GB are free in {there}."


def _cluster(client: Any, address: str, threads: int) -> tuple[int, Timer]:
    """How many runs a Dask cluster does at once, and what times a method there."""
    slots = sum(client.nthreads().values())
    if not slots:
        raise BundleError(f"The Dask cluster at {address} has no worker; start one: dask worker {address}")

    def timer(*job: Any) -> Pace:
        try:
            return client.submit(pace_of, *job, None, threads, pure=False).result()
        except Exception as error:
            raise worker_error(error, f"time {job[1].method}") from error

    return slots, timer


def _parse(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = _parser()
    options = parser.parse_args(arguments)
    if options.output is None and not options.estimate:
        parser.error("the following arguments are required: --output")
    return options


def _parser() -> argparse.ArgumentParser:
    plain = argparse.RawDescriptionHelpFormatter
    parser = argparse.ArgumentParser(prog="python -m bundle study", description=__doc__, formatter_class=plain)
    add = parser.add_argument
    add("study", type=expanded, metavar="STUDY.yaml", help="such as configs/studies/smoke.yaml, found from any folder")
    add("--output", type=expanded, metavar="DIR", help="made if need be; runs are resumed; --estimate can do without")
    text = "folder with datalist.json of a dataset of the study; may be repeated"
    add("--data", type=_pair, action="append", default=[], metavar="NAME=DIR", help=text)
    where = parser.add_mutually_exclusive_group()
    text = "one run at a time on each, such as cuda:0,cuda:1 or cpu,cpu (default: every GPU, else cpu)"
    where.add_argument("--devices", type=_names, metavar="A,B,...", help=text)
    text = "of a Dask cluster that does the runs, such as tcp://10.0.0.1:8786"
    where.add_argument("--scheduler", metavar="ADDRESS", help=text)
    text = "of each run (default: the cores, shared; on a Dask cluster 1)"
    add("--threads", type=whole_number, metavar="N", help=text)
    add("--methods", type=_names, metavar="A,B,...", help="run only these now (default: all)")
    what = parser.add_mutually_exclusive_group()
    what.add_argument("--report-only", action="store_true", help="run nothing, write tables, figures and report")
    text = "start nothing; time a step of each method, and tell trainings, hours and disk of what is not done yet"
    what.add_argument("--estimate", action="store_true", help=text)
    return parser


def _names(text: str) -> list[str]:
    if names := [name.strip() for name in text.split(",") if name.strip()]:
        return names
    raise argparse.ArgumentTypeError(f"{text!r} names none")


def _pair(text: str) -> tuple[str, str]:
    name, _, folder = text.partition("=")
    if not (name and folder):
        raise argparse.ArgumentTypeError(f"{text} is not NAME=DIR, such as whole_head=data/whole_head")
    return name, folder
