"""``python -m bundle study`` trains, tests, reports and resumes: the smoke study, on small NIfTI pairs."""

from __future__ import annotations

import html
import os
import shutil
import signal
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path

import pandas as pd
import psutil
import pytest
import yaml

from bundle.study import runner
from bundle.study.__main__ import main
from bundle.study.plan import Run, Study
from bundle.study.runner import do_runs, local_executor
from bundle.study.runs import COLUMNS, collect, is_done, read_record
from bundle.study.study_file import read_study
from tests.bundle_runs import ROOT, run_command
from tests.early import Early, apart, new_folder
from tests.nifti_pairs import write_dataset
from tests.study.here import study_here

SMOKE = ROOT / "configs" / "studies" / "smoke.yaml"
pytestmark = pytest.mark.slow


def write_study(path: Path) -> Path:
    """The smoke study from one seed and with half of its methods, MANet and zero filling alone on both scans."""
    content = yaml.safe_load(SMOKE.read_text()) | {"seeds": [0]}
    for left_out in ("compressed_sensing", "dudornet", "without_kspace_stage"):
        del content["methods"][left_out]
    for table in content["tables"].values():
        table["methods"] = [name for name in table["methods"] if name in content["methods"]]
    content["tables"]["table3"]["methods"].insert(0, "unet_t2")
    content["conditions"]["t1_zeroed"]["methods"].append("unet_t2")
    content["sweeps"]["alpha"]["values"] = [0.4, 1.0]  # the first is MANet's own
    for name in set(content["methods"]) - {"manet", "zero_filled"}:
        content["methods"][name]["scans"] = ["random_6x"]
    path.write_text(yaml.safe_dump(content, sort_keys=False))
    return path


@Early
def finished() -> Path:
    """A folder with the ``data``, the file ``smoke.yaml`` and the ``study``, whose runs share one process. ``broken``
    and others hold what a command's processes do."""
    folder = new_folder()
    path, dataset_dir = write_study(folder / "smoke.yaml"), write_dataset(folder / "data")
    assert apart(study_here, command_line(path, folder / "study", dataset_dir, "--devices", "cpu")[4:]) == 0
    return folder


@Early
def again() -> Path:
    """A copy of the ``study`` that lost its tables and a test, whose time stands in none, and was asked for again."""
    folder = new_folder() / "study"
    shutil.copytree(finished() / "study", folder)
    assert apart(lose_and_ask_again, finished() / "smoke.yaml", folder, finished() / "data") == 0
    return folder


def lose_and_ask_again(path: Path, output_dir: Path, dataset_dir: Path) -> int:
    """The exit status."""
    runs = read_study(path, {"demo": str(dataset_dir)}).runs()
    run = next(run for run in runs if run.method == "manet_alpha_1")
    for lost in ("tables", run.folder / "conditions" / "as_trained"):
        shutil.rmtree(output_dir / lost)
    return study_here(command_line(path, output_dir, dataset_dir, "--devices", "cpu")[4:])


@Early
def broken() -> tuple[Path, str]:
    """A folder with a ``study`` whose runs fail, are killed and end well, and what its command printed; ``resumed`` is
    a copy of it, in which the latter two were asked for again."""
    folder = new_folder()
    path = write_study(folder / "smoke.yaml")
    content = yaml.safe_load(path.read_text())
    die = {"_target_": "tests.study.test_study.die_once", "marker": str(folder / "died")}
    settings = {"xiang": {"learning_rate": 1e38}, "unet_t2": {"network_name": die}, "zero_filled": {}}
    methods = {name: content["methods"][name] | {"settings": own} for name, own in settings.items()}
    left = {"methods": methods, "reference": "zero_filled", "sweeps": {}, "conditions": {}, "tables": {}}
    path.write_text(yaml.safe_dump(content | left, sort_keys=False))
    shutil.copytree(finished() / "study" / "cache", folder / "study" / "cache")
    ended = run_command(command_line(path, folder / "study", finished() / "data", "--devices", "cpu,cpu"))
    assert ended.returncode == 1
    shutil.copytree(folder / "study", folder / "resumed")
    assert apart(resume, path, folder / "resumed", finished() / "data") == 0
    return folder, ended.stdout + ended.stderr


def resume(path: Path, output_dir: Path, dataset_dir: Path) -> int:
    """How many runs fail, each in a process of its own, of those that were killed or ended well."""
    study = read_study(path, {"demo": str(dataset_dir)})
    runs = [run for run in study.runs() if run.scan == "random_6x" and run.method != "xiang"]
    return do_runs(study, runs, output_dir, local_executor(["cpu"]))


def one_method(folder: Path) -> list[str]:
    """A command line that trains one method, in this folder, on the volumes that are prepared."""
    shutil.copytree(finished() / "study" / "cache", folder / "cache")
    return command_line(finished() / "smoke.yaml", folder, finished() / "data", "--methods", "xiang")


@Early
def outliving() -> list[psutil.Process]:
    """What of a study and its run is still there two minutes after the study was killed."""
    arguments = one_method(new_folder())
    study = psutil.Popen(arguments, cwd=ROOT, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    run = first_run_of(study)
    study.kill()
    return psutil.wait_procs([study, run], timeout=120)[1]


def on_a_cluster(arguments: list[str]) -> int:
    """The exit status of a study whose runs a Dask cluster does."""
    from distributed import LocalCluster

    with LocalCluster(1, threads_per_worker=2, processes=False, dashboard_address=None) as cluster:
        return main([*arguments, "--scheduler", cluster.scheduler_address])


@Early
def clustered() -> Path:
    """A folder with the study of one method that was done on a cluster."""
    folder = new_folder()
    assert apart(on_a_cluster, one_method(folder)[4:]) == 0
    return folder


@pytest.fixture
def dataset_dir() -> Path:
    return finished() / "data"


@pytest.fixture
def path() -> Path:
    return finished() / "smoke.yaml"


@pytest.fixture
def output_dir() -> Path:
    return finished() / "study"


@pytest.fixture
def study(path, dataset_dir) -> Study:
    return read_study(path, {"demo": str(dataset_dir)})


def command_line(path: Path, output_dir: Path, dataset_dir: Path, *arguments: str) -> list[str]:
    data = ["--data", f"demo={dataset_dir}"]
    return [sys.executable, "-m", "bundle", "study", str(path), "--output", str(output_dir), *data, *arguments]


def one_run(study: Study, method: str, **settings) -> tuple[Study, Run]:
    """The study with other settings of a method, and that method's first run."""
    changed = study.methods[method].model_copy(update={"settings": settings})
    study = study.model_copy(update={"methods": study.methods | {method: changed}})
    return study, next(run for run in study.runs() if run.method == method)


def die_once(marker: str) -> str:
    """A component of a config that kills the process that builds it, as a machine without memory does; but once."""
    if not Path(marker).exists():
        Path(marker).touch()
        os.kill(os.getpid(), signal.SIGKILL)
    return "Xiang"


@pytest.mark.needs(finished)
def test_every_run_is_done_and_says_what_it_took(study, output_dir):
    for run in study.runs():
        assert is_done(study, run, output_dir)
        record = read_record(run, output_dir)
        assert record["status"] == "done" and record["key"] == run.key
        assert (record["parameters"] > 0) == (record["training_seconds"] > 0) == study.trains(run.method)
        assert record["steps"] == (3 if study.trains(run.method) else 0)  # 18 slices in batches of 8
        assert record["versions"]["torch"] and record["device"].startswith("CPU")


def test_each_pair_is_prepared_once_for_training_and_the_tested_one_for_each_scan(output_dir):
    prepared = sorted(path.name.rsplit("-", 1)[0] for path in (output_dir / "cache").glob("*.json"))
    assert prepared == ["a_ses-1", "a_ses-2", "b", "c", "d", "d"]


def test_results_hold_each_test_and_zero_filling_is_what_every_evaluation_says_of_it(study, output_dir):
    results = pd.read_csv(output_dir / "results.csv")
    assert list(results.columns) == COLUMNS and set(results["method"]) == set(study.methods)
    assert len(results) == sum(len(study.conditions_of(run)) for run in study.runs())  # the test list has one subject
    for scan in study.scans:
        tested = [run for run in study.runs() if run.scan == scan]
        files = [output_dir / run.folder / "conditions" / "as_trained" / "metrics.csv" for run in tested]
        metrics = pd.concat(map(pd.read_csv, files), keys=[run.method for run in tested])
        # all methods were tested on the same scan
        assert metrics[["zf_psnr", "zf_ssim", "sampled_acceleration"]].nunique().tolist() == [1, 1, 1]
        zero_filled = metrics.loc["zero_filled"].iloc[0]
        assert zero_filled["psnr"] == pytest.approx(zero_filled["zf_psnr"], abs=1e-3)
        assert zero_filled["ssim"] == pytest.approx(zero_filled["zf_ssim"], abs=1e-4)


def test_a_network_that_never_saw_t1_does_not_notice_its_absence_and_manet_does(study, output_dir):
    results = collect(study, output_dir).query("scan == 'random_6x'")
    psnr = results.set_index(["method", "condition"])["psnr"]
    assert psnr["unet_t2", "t1_zeroed"] == psnr["unet_t2", "as_trained"]
    assert psnr["manet", "t1_zeroed"] != psnr["manet", "as_trained"] != psnr["manet", "t1_shifted_2mm"]
    # a condition whose settings have changed counts as not tested
    shifted = study.conditions["t1_shifted_2mm"].model_copy(update={"settings": {"guide": None}})
    study = study.model_copy(update={"conditions": study.conditions | {"t1_shifted_2mm": shifted}})
    assert not is_done(study, one_run(study, "manet")[1], output_dir)
    assert set(collect(study, output_dir)["condition"]) == {"as_trained", "t1_zeroed"}


def test_tables_figures_and_report_are_there(output_dir):
    for name in ("table1", "table3"):
        assert {path.suffix for path in (output_dir / "tables").glob(f"{name}*")} == {".md", ".tex", ".csv"}
    kinds = {path.name.split("-")[0] for path in (output_dir / "figures").glob("*.png")}
    assert kinds == {"comparison", "sweep", "quality", "conditions"}
    assert "Smoke test" in (output_dir / "report.html").read_text(encoding="utf-8")


@pytest.mark.needs(again)
def test_a_lost_test_is_made_again_and_what_is_done_is_not(output_dir):
    written = [times(folder, "runs/**/*.pt") | times(folder, "runs/**/metrics.csv") for folder in (output_dir, again())]
    assert written[0].keys() == written[1].keys()
    (lost,) = (name for name, when in written[0].items() if written[1][name] != when)
    assert lost.name == "metrics.csv" and (again() / lost).read_text() == (output_dir / lost).read_text()
    for table in (output_dir / "tables").iterdir():
        assert (again() / "tables" / table.name).read_text() == table.read_text()


def times(folder: Path, pattern: str) -> dict[Path, int]:
    """When each of these files was written, in ns."""
    return {path.relative_to(folder): path.stat().st_mtime_ns for path in folder.glob(pattern)}


@pytest.mark.needs(broken)
def test_a_run_that_fails_or_is_killed_is_told_the_others_go_on_and_only_these_are_resumed():
    folder, told = broken()
    output_dir = folder / "study"
    study = read_study(folder / "smoke.yaml", {"demo": str(finished() / "data")})
    runs = {run.method: run for run in study.runs() if run.scan == "random_6x"}
    diverged, killed, ended = (read_record(runs[name], output_dir) for name in ("xiang", "unet_t2", "zero_filled"))
    assert [record["status"] for record in (diverged, killed, ended)] == ["failed", "failed", "done"]
    assert "lower learning_rate" in diverged["error"]
    assert killed["error"] == "The run's process was killed by signal 9, out of memory?"
    assert diverged["error"] in told and killed["error"] in told and "Traceback" not in told
    assert set(pd.read_csv(output_dir / "results.csv")["method"]) == {"zero_filled"}
    page = html.unescape((output_dir / "report.html").read_text())
    assert diverged["error"] in page and killed["error"] in page
    assert is_done(study, runs["unet_t2"], folder / "resumed")
    assert read_record(runs["zero_filled"], folder / "resumed") == ended


def first_run_of(study: psutil.Process) -> psutil.Process:
    """The process of a study's run, once there is one."""
    while study.is_running():
        for child in study.children():
            with suppress(psutil.NoSuchProcess):
                if "bundle.study.runs" in child.cmdline():
                    return child
        time.sleep(0.1)
    raise AssertionError("the study ended without a run")


@pytest.mark.needs(outliving)
def test_no_run_outlives_a_study_that_is_killed():
    assert outliving() == []


def test_no_run_outlives_a_study_that_is_interrupted(tmp_path, capsys):
    arguments = one_method(tmp_path)
    before = signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell ignores it behind a "&"
    with ThreadPoolExecutor(1) as watcher:
        found = watcher.submit(first_run_of, psutil.Process())
        found.add_done_callback(lambda _: os.kill(os.getpid(), signal.SIGINT))
        assert main(arguments[4:]) == 130
    signal.signal(signal.SIGINT, before)
    assert "the same command goes on from here" in capsys.readouterr().err
    assert psutil.wait_procs([found.result()], timeout=60)[1] == []


@pytest.mark.needs(clustered)
def test_runs_can_be_handed_to_a_dask_cluster_and_equal_seeds_give_equal_figures(output_dir):
    pytest.importorskip("distributed")
    expected = pd.read_csv(output_dir / "results.csv").query("method == 'xiang'")
    columns = ["scan", "subject", "psnr", "ssim", "nmse"]
    found = pd.read_csv(clustered() / "results.csv")[columns]
    pd.testing.assert_frame_equal(found, expected[columns].reset_index(drop=True))


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["missing.yaml"], "no study file missing.yaml"),
        ([str(SMOKE), "--methods", "unet"], "no method 'unet'; it has zero_filled"),
        ([str(SMOKE), "--data", "ixi=."], "no dataset 'ixi', only demo"),
        ([str(SMOKE), "--report-only"], "nothing to report"),
        ([str(SMOKE), "--data", "demo=/nowhere", "--methods", "zero_filled", "--devices", "cpu"], "/nowhere does not"),
        ([str(SMOKE), "--scheduler", "tcp://127.0.0.1:1"], "No Dask scheduler answers at tcp://127.0.0.1:1"),
    ],
)
def test_a_mistake_on_the_command_line_is_one_sentence(arguments, sentence, tmp_path, capsys, monkeypatch):
    monkeypatch.setattr(runner, "PATIENCE", 1)
    assert main([*arguments, "--output", str(tmp_path)]) == 1
    error = capsys.readouterr().err
    assert error.startswith("Error: ") and sentence in error and error.count("\n") == 1


def test_a_folder_with_other_results_is_refused_and_they_stay(tmp_path, capsys):
    (tmp_path / "results.csv").write_text("mine")
    assert main([str(SMOKE), "--output", str(tmp_path), "--methods", "zero_filled"]) == 1
    assert "holds results.csv, but no runs of a study; give another --output." in capsys.readouterr().err
    assert [path.name for path in tmp_path.iterdir()] == ["results.csv"]
    assert (tmp_path / "results.csv").read_text() == "mine"


def test_home_is_meant_by_a_tilde_that_the_shell_left_behind_an_equals_sign(tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("HOME", str(tmp_path))
    (tmp_path / "st").mkdir()
    (tmp_path / "st" / "results.csv").write_text("mine")
    shutil.copy(SMOKE, tmp_path / "my.yaml")
    assert main(["~/my.yaml", "--output=~/st", "--methods", "zero_filled"]) == 1
    assert f"{tmp_path / 'st'} holds results.csv, but no runs of a study" in capsys.readouterr().err


def test_without_dask_a_scheduler_is_refused(tmp_path, monkeypatch, capsys):
    monkeypatch.setitem(sys.modules, "distributed", None)
    assert main([str(SMOKE), "--output", str(tmp_path), "--scheduler", "tcp://127.0.0.1:1"]) == 1
    assert "needs Dask, which is not installed" in capsys.readouterr().err
