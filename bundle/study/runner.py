"""Runs of a study, each in a process of its own, several at once on an executor, skipped where done.

A run that is killed, as for want of memory, so takes no other with it. The executor says where and how many at once:
:func:`local_executor`, one run a device; :func:`dask_executor`, one a thread of a Dask cluster's workers.
"""

from __future__ import annotations

import os
import pickle
import signal
import subprocess
import sys
import threading
from collections.abc import Sequence
from concurrent.futures import Executor, Future, ThreadPoolExecutor, as_completed
from contextlib import nullcontext, suppress
from pathlib import Path
from queue import SimpleQueue
from typing import Any

from tqdm import tqdm

from ..console import progress_bar
from ..data.spread import spread_over
from ..demo import make_demo_dataset
from ..errors import BundleError
from .plan import Run, Study
from .runs import is_done, prepare, read_record, write_record
from .sections import BUNDLE_ROOT

__all__ = ["dask_client", "dask_executor", "do_runs", "local_executor", "run_in_process"]

PATIENCE = 10  # seconds that a Dask scheduler has to answer
STOP = "runs/stop"  # while this file is in a study's folder, its runs end, on whatever machine they are
_thread = threading.local()  # of the local executor: its device


def local_executor(devices: Sequence[str]) -> Executor:
    """Runs on this machine, one at a time on each device; a device named twice has two, ``("cpu", "cpu")``."""
    free: SimpleQueue[str] = SimpleQueue()
    for device in devices:
        free.put(device)
    return ThreadPoolExecutor(len(devices), initializer=lambda: setattr(_thread, "device", free.get()))


def dask_executor(client: Any) -> Executor:
    """Runs on a Dask cluster, one at a time on each thread of its workers, on the worker's GPU if it has one.

    Before them the pairs are prepared there, one at a time on each thread, too.

    The workers must find this package, the data, and the study's output under the same paths.

    Args:
        client: of :func:`dask_client`.
    """
    executor: Executor = client.get_executor(pure=False)
    return executor


def dask_client(address: str) -> Any:
    """Dask's client; BundleError where Dask is not installed, or no scheduler answers."""
    try:
        from distributed import Client

        return Client(address, timeout=PATIENCE)
    except ImportError as error:
        raise BundleError("--scheduler needs Dask, which is not installed: pip install distributed.") from error
    except (OSError, ValueError) as error:
        raise BundleError(f"No Dask scheduler answers at {address}: {error}.") from error


def do_runs(study: Study, runs: Sequence[Run], output_dir: Path, executor: Executor, threads: int = 1) -> int:
    """Do those of a study's runs that are not done yet, with a progress bar; ``executor`` is shut down in the end.

    Returns how many failed, each with a ``run.json`` that tells why. BundleError where a dataset cannot be prepared.
    """
    with executor:
        output_dir = output_dir.resolve()
        waiting = [run for run in runs if not is_done(study, run, output_dir)]
        tqdm.write(_tally(len(runs), len(runs) - len(waiting)))
        _prepare(study, waiting, output_dir, executor)
        (output_dir / STOP).unlink(missing_ok=True)
        tasks = {executor.submit(run_in_process, study, run, output_dir, threads): run for run in waiting}
        try:
            progress = progress_bar(as_completed(tasks), desc="Runs", total=len(tasks), unit="run")
            return sum(_told(study, task, tasks[task], output_dir) for task in progress)
        except BaseException:
            (output_dir / STOP).touch()
            for task in tasks:
                task.cancel()
            raise


def run_in_process(study: Study, run: Run, output_dir: Path, threads: int = 1) -> dict[str, Any]:
    """Do a run in a process of its own, with so many threads, and wait for it.

    Returns what ``run.json`` then holds: of a process that was killed, that it failed.
    """
    folder = output_dir / run.folder
    folder.mkdir(parents=True, exist_ok=True)
    command = [sys.executable, "-m", "bundle.study.runs"]
    paths = os.pathsep.join([str(BUNDLE_ROOT), *filter(None, [os.environ.get("PYTHONPATH")])])
    environment = os.environ | {"PYTHONPATH": paths, "OMP_WAIT_POLICY": "passive"}  # idle threads leave cores to others
    with (folder / "log.txt").open("ab") as log:
        process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=log, stderr=log, env=environment)
    assert process.stdin is not None
    with suppress(BrokenPipeError), process.stdin as job:  # it stays open: the process ends when this one does
        pickle.dump((threads, study, run, output_dir, getattr(_thread, "device", None)), job)
        job.flush()
        while process.poll() is None:
            with suppress(subprocess.TimeoutExpired):
                process.wait(timeout=0.5)
            if (output_dir / STOP).exists():
                process.terminate()
    if status := process.wait():
        memory = ", out of memory?" if status == -signal.SIGKILL else ""
        how = f"ended with status {status}" if status > 0 else f"was killed by signal {-status}{memory}"
        write_record(run, output_dir, run.record("failed", f"The run's process {how}"))
    return read_record(run, output_dir)


def _prepare(study: Study, runs: Sequence[Run], output_dir: Path, executor: Executor) -> None:
    """Make the demo data, and align and cut what runs read, once, before several of them want it at once.

    A cluster's workers share the pairs; the threads of :func:`local_executor` only wait for processes.
    """
    for name in dict.fromkeys(run.dataset for run in runs):
        dataset = study.datasets[name]
        if dataset.demo and dataset.dataset_dir is None:
            make_demo_dataset(dataset.folder)
    # methods and seeds of one scan read the same, but for what a method's settings change; one that trains reads most
    last = {(run.dataset, run.fold, run.scan): run for run in sorted(runs, key=lambda run: study.trains(run.method))}
    with nullcontext() if isinstance(executor, ThreadPoolExecutor) else spread_over(executor):
        for run in last.values():
            prepare(study, run, output_dir)


def _tally(total: int, done: int) -> str:
    if total == 1:
        return f"1 run, {'' if done else 'not '}done before."
    return f"{total} runs, {'none' if done == 0 else 'all' if done == total else done} of them done before."


def _told(study: Study, task: Future, run: Run, output_dir: Path) -> bool:
    """Print how a run ended; whether it failed."""
    try:
        record = task.result()
    except Exception as error:  # of the executor, such as a worker that was lost or lacks this package
        record = run.record("failed", f"{type(error).__name__}: {error}")
        write_record(run, output_dir, record)
    failed, metrics = record["status"] != "done", record.get("metrics", {})
    how = f"PSNR {metrics.get('psnr')} dB, SSIM {metrics.get('ssim')}; {record.get('training_seconds', 0):.0f} s"
    how = f"failed: {record['error']} ({record['folder']}/log.txt)" if failed else how
    tqdm.write(f"{study.place(record)}: {how}")
    return failed
