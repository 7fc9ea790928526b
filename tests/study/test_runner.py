"""Of a study's runs those are done that are not done yet, and told; a Dask cluster prepares what they read."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from threading import current_thread

import pytest

from bundle.data import prepared
from bundle.study import runner
from tests.nifti_pairs import write_dataset
from tests.study.studies import study_of
from tests.study.test_runs import zero_filling_of


@pytest.mark.parametrize(
    ("asked", "before", "told"),
    [
        (1, 0, "1 run, not done before."),
        (1, 1, "1 run, done before."),
        (3, 0, "3 runs, none of them done before."),
        (3, 1, "3 runs, 1 of them done before."),
        (3, 3, "3 runs, all of them done before."),
    ],
)
def test_only_what_was_not_done_before_is_done_and_this_is_told(asked, before, told, tmp_path, monkeypatch, capsys):
    study, started = study_of(), []
    runs = study.runs()[:asked]
    monkeypatch.setattr(runner, "is_done", lambda _study, run, _output_dir: run in runs[:before])
    monkeypatch.setattr(runner, "prepare", lambda *_: None)
    monkeypatch.setattr(runner, "run_in_process", lambda _, run, *__: started.append(run) or run.record("done"))
    assert runner.do_runs(study, runs, tmp_path, ThreadPoolExecutor(1)) == 0
    assert started == runs[before:] and capsys.readouterr().out.splitlines()[0] == told


def test_a_dask_cluster_prepares_the_pairs_that_the_runs_read(tmp_path, monkeypatch):
    distributed = pytest.importorskip("distributed")
    items, workers = write_dataset(tmp_path / "data"), []
    write = prepared.write_entry
    monkeypatch.setattr(prepared, "write_entry", lambda *given: workers.append(current_thread().name) or write(*given))
    monkeypatch.setattr(runner, "run_in_process", lambda _, run, *__: run.record("done"))
    settings = {"image_size": 32, "split": "training", "register_to": "t2", "preprocessing::transforms::3::levels": 0}
    study = zero_filling_of(items, **settings)
    with distributed.LocalCluster(1, threads_per_worker=2, processes=False, dashboard_address=None) as cluster:
        with runner.dask_client(cluster.scheduler_address) as client:
            assert runner.do_runs(study, study.runs(), tmp_path / "out", runner.dask_executor(client)) == 0
    assert len(workers) == 3 and "MainThread" not in workers
    assert len(list((tmp_path / "out" / "cache").glob("*.npy"))) == 3
