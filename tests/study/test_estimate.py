"""``--estimate`` tells what a study's runs cost and starts none; each method of the paper's studies can be timed."""

from __future__ import annotations

import re
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
import torch
import yaml
from monai.bundle import ConfigParser

from bundle.study import __main__ as command
from bundle.study import pace
from bundle.study.estimate import estimate
from bundle.study.pace import Pace
from bundle.study.study_file import read_study
from tests.bundle_runs import ROOT
from tests.early import Early, apart, new_folder
from tests.nifti_pairs import write_dataset
from tests.study.here import study_here
from tests.study.test_plan import STUDIES
from tests.study.test_runs import zero_filling_of

TINY = {"epochs": 2, "batch_size": 4, "channels": 2, "image_size": 32, "num_workers": 0, "amp": False}
PACE = Pace(step=3600.0, tested=36.0, parameters=1000)


def small_study(name: str, folder: Path, **changes) -> Path:
    """A shipped study with the smallest networks, on a matrix of 32."""
    content = yaml.safe_load(STUDIES[name].read_text()) | changes
    content["settings"] |= TINY
    content["methods"]["unrolled"]["settings"] |= {"cascades": 1, "widths": [2, 2]}
    if "dudornet" in content["methods"]:
        content["methods"]["dudornet"]["settings"] = {"recurrences": 1}
    if "compressed_sensing" in content["methods"]:
        content["methods"]["compressed_sensing"]["settings"] = {"network_def::iterations": 2}
    path = folder / f"{name}.yaml"
    path.write_text(yaml.safe_dump(content, sort_keys=False))
    return path


@pytest.fixture(scope="module")
def pairs(tmp_path_factory) -> Path:
    return write_dataset(tmp_path_factory.mktemp("pairs"))


@pytest.fixture(autouse=True)
def _without_registration(monkeypatch):
    leave_out_registration(monkeypatch)


def leave_out_registration(patch: pytest.MonkeyPatch) -> None:
    patch.setattr("bundle.data.alignment.find_transform", lambda *_, **__: np.eye(4))


@pytest.mark.parametrize(("name", "trainings", "tests"), [("table1", 180, 204), ("ablation", 180, 540)])
def test_each_method_of_the_papers_studies_trains_a_step_reconstructs_and_is_told_and_nothing_is_written(
    name, trainings, tests, pairs, tmp_path, capsys, monkeypatch
):
    monkeypatch.setattr(pace, "_seconds", lambda work, _: [0.5, work()][0])  # once each
    path, out = small_study(name, tmp_path), tmp_path / "out"
    given = ["--data", f"ixi={pairs}", "--output", str(out), "--devices", "cpu", "--threads", "1", "--estimate"]
    assert command.main([str(path), *given]) == 0
    told = capsys.readouterr().out
    methods = yaml.safe_load(path.read_text())["methods"].values()
    rows = {
        cells[0]: cells[1:] for line in told.splitlines() if len(cells := re.split(r" *\| *", line.strip("| "))) > 5
    }
    assert set(rows) >= {method["label"] for method in methods} | {"all"}
    assert (int(rows["all"][0]), int(rows["all"][3])) == (trainings, tests)
    assert all(float(rows[method["label"]][4]) > 0 for method in methods)
    assert "h on cpu" in told and "GB are free in" in told and "Nothing was started" in told
    assert not out.exists()


SMALL = {"table1": (["unrolled"], [], "methods"), "ablation": (["manet"], ["alpha"], "table4")}


def run_small(name: str, methods: list[str], sweeps: list[str], table: str, folder: Path) -> tuple[pd.DataFrame, str]:
    """Results and a table of one of the paper's studies, with one method on one scan, from one seed, in one epoch."""
    content = yaml.safe_load(small_study(name, folder, seeds=[0]).read_text())
    content["methods"] = {key: content["methods"][key] | {"scans": ["uniform_6x"]} for key in methods}
    content["sweeps"] = {key: content["sweeps"][key] | {"values": [0.0, 0.4]} for key in sweeps}
    tables = {key: entry | {"methods": methods} for key, entry in content.get("tables", {}).items() if key == table}
    content |= {"conditions": {}, "reference": methods[0], "tables": tables}
    path, out = folder / f"{name}.yaml", folder / name
    path.write_text(yaml.safe_dump(content | {"settings": content["settings"] | {"epochs": 1}}))
    with pytest.MonkeyPatch.context() as patch:
        leave_out_registration(patch)
        patch.setattr("bundle.evaluation.intervals.RESAMPLES", 299)
        patch.setattr(command, "draw_all", lambda *_: [])
        data = ["--data", f"ixi={folder / 'pairs'}", "--devices", "cpu", "--threads", "1"]
        assert study_here([str(path), "--output", str(out), *data]) == 0
    return pd.read_csv(out / "results.csv"), (out / "tables" / f"{table}.md").read_text()


@Early
def small_runs() -> dict[str, tuple[pd.DataFrame, str]]:
    folder = new_folder()
    write_dataset(folder / "pairs")
    return {name: apart(run_small, name, *asked, folder) for name, asked in SMALL.items()}


@pytest.mark.slow
@pytest.mark.needs(small_runs)
@pytest.mark.parametrize("name", SMALL)
def test_a_study_of_the_paper_runs_small_from_its_datalist_to_its_table(name):
    results, table = small_runs()[name]
    methods, sweeps, _ = SMALL[name]
    swept = {f"manet_{key}_0" for key in sweeps}
    assert set(results["method"]) == {*methods, *swept} and results["psnr"].between(0, 60).all()
    assert "1D uniform 6×" in table


def test_hours_and_bytes_are_those_of_steps_slices_and_conditions(pairs, tmp_path):
    path = small_study("table1", tmp_path, seeds=[0, 1])
    study = read_study(path, {"ixi": str(pairs)})
    chosen = [run for run in study.runs() if run.method in ("manet", "zero_filled") and run.scan == "radial_9x"]
    timed = []
    found = estimate(study, chosen, lambda _, run, *pair: timed.append((run.method, pair[0].shape)) or PACE, start=10)
    # two seeds of MANet, one of zero filling; 3 pairs of 6 slices, of which the outer ones may be air
    assert sorted(timed) == [("manet", (6, 32, 32)), ("zero_filled", (6, 32, 32))]
    steps, costs = 2 * -(-3 * 6 // 4), found.table.values.set_index("method")
    assert costs.loc["manet", "training"].tolist() == [steps * 3600 + 2 * 6 * 36] * 2
    assert costs["testing"].tolist() == [10 + 6 * 36] * 3 and costs.loc["zero_filled", "training"] == 0
    assert found.seconds == 2 * (steps * 3600 + 2 * 6 * 36) + 3 * (10 + 6 * 36)
    volume = 6 * 32 * 32
    assert found.disk == {"cache": (4 + 1) * 2 * 4 * volume, "weights": 2 * 16 * 1000, "saved volumes": 3 * 16 * volume}
    assert "| 36,000 " in found.text(1, "there")  # ms
    assert f"About {steps + 0.12 + 0.0628:.3g} h" in found.text(3, "there")  # three at once, but a run is one
    study.settings["train::trainer::epoch_length"] = 7  # two epochs of 7 steps
    found = estimate(study, chosen, lambda *_: PACE, start=10)
    assert found.table.values.set_index("method").loc["manet", "training"].tolist() == [14 * 3600 + 2 * 6 * 36] * 2


def test_a_cluster_times_on_its_workers_and_shares_the_hours(pairs, tmp_path, monkeypatch, capsys):
    distributed = pytest.importorskip("distributed")
    monkeypatch.setattr(command, "pace_of", lambda *_, **__: PACE)
    asked = [str(small_study("table1", tmp_path)), "--data", f"ixi={pairs}", "--estimate", "--methods", "manet"]
    with distributed.LocalCluster(1, threads_per_worker=3, processes=False, dashboard_address=None) as cluster:
        assert command.main([*asked, "--scheduler", cluster.scheduler_address]) == 0
        assert "on the cluster's workers, 3 at once" in capsys.readouterr().out
        cluster.scale(0)
        cluster.sync(cluster._correct_state)
        assert command.main([*asked, "--scheduler", cluster.scheduler_address]) == 1
    assert "has no worker; start one: dask worker" in capsys.readouterr().err


def test_demo_data_that_are_not_made_and_nothing_to_do_are_one_sentence(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr("bundle.study.sections.data_root", lambda: tmp_path)
    assert command.main([str(STUDIES["smoke"]), "--estimate"]) == 1
    assert f"make them first: python -m bundle demo {tmp_path / 'demo_data'}" in capsys.readouterr().err
    monkeypatch.setattr(command, "read_study", lambda *_: zero_filling_of(tmp_path))
    monkeypatch.setattr(command, "is_done", lambda *_: True)
    assert command.main(["x.yaml", "--estimate", "--output", str(tmp_path)]) == 0
    assert "All runs that are asked for are done" in capsys.readouterr().out
    (tmp_path / "file").touch()
    assert command.main(["x.yaml", "--estimate", "--output", str(tmp_path / "file")]) == 1
    assert "file cannot be written (Not a directory)" in capsys.readouterr().err
    for arguments, words in (
        ([], "required: --output"),
        (["--estimate", "--threads=-1"], "-1 is no whole number from 1 on"),
        (["--estimate", "--methods", ","], "',' names none"),
    ):
        with pytest.raises(SystemExit):
            command.main(["x.yaml", *arguments])
        assert words in capsys.readouterr().err


@pytest.mark.parametrize(("mirroring", "passes"), [(False, 1), (True, 2)])
def test_the_network_is_timed_as_it_is_tested_mirrored_or_not(mirroring, passes, monkeypatch):
    parser, calls = ConfigParser(), []
    parser.read_config(str(ROOT / "configs" / "train.yaml"))
    parser.update({"network_def": {"_target_": "bundle.networks.ZeroFilled"}, "mirroring": mirroring, "device": "cpu"})
    parser.get_parsed_content("train::network").register_forward_hook(lambda *_: calls.append(1))
    monkeypatch.setattr(pace, "_seconds", lambda work, _: [0.5, work()][0])
    image = torch.randn(2, 4, 16, 16)
    assert pace._tested(parser, SimpleNamespace(image=image)) == (0.25, 0) and len(calls) == passes
