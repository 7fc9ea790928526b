"""The benchmark: peers that run, ratios round by round, and no regression of what it measures."""

from __future__ import annotations

import json
import os
import signal
import sys
from pathlib import Path

import pytest
import torch

from bundle.benchmark.__main__ import main
from bundle.benchmark.contestants import VARIANTS, Contestant, Slices, contestants, difference
from bundle.benchmark.machine import forward_flop
from bundle.benchmark.peers import load_peer
from bundle.benchmark.pipeline import loader_rates, waiting_share
from bundle.benchmark.startup import run_python
from bundle.benchmark.timing import Timing, peak_memory, ratio, take_turns
from bundle.compute import mixes_precision
from bundle.errors import BundleError
from bundle.networks import MANet
from tests.bundle_runs import run_command
from tests.early import Early, new_folder
from tests.nifti_pairs import write_dataset

PEER_VARIABLE = "BUNDLE_TEST_PEER"


def test_each_round_begins_with_another_task_and_the_warmup_does_not_count():
    order = []
    timings = take_turns({name: (lambda name=name: order.append(name)) for name in "abc"}, repeats=3)
    assert "".join(order) == "abcbcacababc"
    assert all(len(timing.seconds) == 3 for timing in timings.values())


def test_ratios_are_of_the_same_round():
    against = ratio(Timing((1.0, 4.0, 9.0)), Timing((2.0, 2.0, 3.0)))
    assert against.seconds == (0.5, 2.0, 3.0) and against.median == 2.0 and against.spread == (1.25, 2.5)


def test_peak_memory_counts_what_a_task_holds_at_once():
    peak = peak_memory(lambda: torch.ones(2**26) + 1)  # two tensors of 256 MB
    if peak is None:
        pytest.skip("this system does not tell")
    assert 0.45 * 2**30 < peak < 0.75 * 2**30


def test_a_slice_of_64_features_takes_256_gflop():
    assert forward_flop(MANet(), 256) == pytest.approx(256e9, rel=0.02)


def test_variants_differ_by_rounding_alone_and_each_can_train():
    names = [name for name in VARIANTS if "compiled" not in name]
    entries = contestants(None, 4, "cpu", names, amp=False)
    slices = Slices.random(2, 32, "cpu")
    for entry in entries[1:]:
        assert difference(entries[0], entry, slices) < 1e-4
    assert all(torch.isfinite(entry.train_step(slices)) for entry in entries)


def test_unknown_variants_and_folders_without_a_peer_are_refused(tmp_path, capsys):
    with pytest.raises(BundleError, match="no variant 'fast'"):
        contestants(None, 4, "cpu", ["fast"], amp=False)
    with pytest.raises(BundleError, match="checkout of chunmeifeng/MANet"):
        load_peer(tmp_path)
    assert main(["--peer", str(tmp_path), "--repeats", "1"]) == 1
    assert capsys.readouterr().err.startswith("Error: ")


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--parts", "data,foo"], "there is no part 'foo'; there are training, reconstruction, data, start"),
        (["--parts", ","], "there is no part ','"),
        (["--variants", "fast"], "there is no variant 'fast'"),
        (["--repeats", "0"], "0 is no whole number from 1 on"),
    ],
)
def test_a_mistake_in_an_option_is_told_with_what_there_is(words, said, capsys):
    with pytest.raises(SystemExit):
        main(words)
    assert said in capsys.readouterr().err


def test_a_mistake_in_a_value_is_told_in_a_sentence(tmp_path, capsys):
    (tmp_path / "figures.json").touch()
    said = {
        ("--json", str(tmp_path / "figures.json")): "figures.json is there already; name another --json, or allow",
        ("--device", "meta"): "device is cpu, cuda, cuda:0, cuda:1, ... or mps, not 'meta'.",
        ("--data", str(tmp_path / "none"), "--parts", "data", "--repeats", "1"): "none does not exist; set dataset_dir",
    }
    for words, sentence in said.items():
        assert main(words) == 1 and sentence in capsys.readouterr().err


@pytest.mark.slow
def test_the_loader_serves_every_slice_and_the_training_says_how_long_it_waits(tmp_path):
    settings = {
        "dataset_dir": str(write_dataset(tmp_path / "data")),
        "output_dir": str(tmp_path),
        "image_size": 32,
        "batch_size": 4,
        "num_workers": 0,
        "device": "cpu",
        "channels": 4,
    }
    slices, start = loader_rates(settings, repeats=2)
    assert len(slices.seconds) == len(start.seconds) == 2
    assert 0 <= waiting_share(settings, steps=2).share <= 1


@Early
def timed() -> tuple[list[str], str]:
    """The arguments of a short benchmark, and what its command printed."""
    arguments = (
        "--parts training,reconstruction --channels 4 --size 32 --repeats 2 --slices 2 --device cpu --amp".split()
    )
    arguments += ["--json", str(new_folder() / "figures.json")]
    ended = run_command([sys.executable, "-m", "bundle", "benchmark", *arguments])
    assert ended.returncode == 0, ended.stderr
    return arguments, ended.stdout


@pytest.mark.slow
@pytest.mark.needs(timed)
def test_the_command_prints_tables_and_writes_json_without_replacing_it():
    arguments, shown = timed()
    report = json.loads(Path(arguments[-1]).read_text())
    assert "time ratio" in shown and "this bundle, as shipped" in shown
    rows = report["contests"][0]["training"]
    names = ("this bundle, plain torch", "this bundle, as shipped")
    assert [row["contestant"] for row in rows] == [name + dtype for name in names for dtype in ("", ", bfloat16")]
    assert rows[0]["ratio"]["median"] == 1
    assert report["command"] == f"python -m bundle benchmark {' '.join(arguments)}"
    assert main(arguments) == 1


def test_a_timed_command_ends_with_its_process_though_a_child_lives_on_and_a_failing_one_is_told(tmp_path):
    child = "subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(60)']).pid"
    run_python(["-c", f"import subprocess, sys; open(r'{tmp_path / 'pid'}', 'w').write(str({child}))"])
    os.kill(int((tmp_path / "pid").read_text()), signal.SIGKILL)  # an error if it had ended
    with pytest.raises(BundleError, match="failed: no such luck"):
        run_python(["-c", "raise SystemExit('no such luck')"])


@pytest.mark.benchmark
@pytest.mark.parametrize(("part", "limit"), [("reconstruct", 1.0), ("train_step", 1.05)])
def test_defaults_are_not_slower_than_plain_torch_at_64_features(part, limit):
    entries = contestants(None, 64, "cpu", ["plain torch", "as shipped"], amp=False)
    times = ratios_to_the_first(entries, part, Slices.random(1, 128, "cpu"), rounds=5)
    assert times[-1] < limit


@pytest.mark.benchmark
@pytest.mark.skipif(not mixes_precision(True, "cpu"), reason="this processor has no AMX")
@pytest.mark.parametrize("part", ["reconstruct", "train_step"])
def test_mixed_precision_is_a_third_faster_than_float32_where_it_is_the_default(part):
    entries = contestants(None, 64, "cpu", ["as shipped"], amp=True)
    times = ratios_to_the_first(entries, part, Slices.random(1, 128, "cpu"), rounds=5)
    assert times[-1] < 2 / 3


@pytest.mark.benchmark
def test_peers_networks_compute_the_same_and_take_longer():
    checkouts = os.environ.get(PEER_VARIABLE, "").split(os.pathsep)
    if checkouts == [""]:
        pytest.skip(f"{PEER_VARIABLE} does not name checkouts of chunmeifeng/MANet and facebookresearch/fastMRI")
    slices = Slices.random(2, 256, "cpu")
    for checkout in checkouts:
        peer, own, *mixed = contestants(
            load_peer(Path(checkout)), 64, "cpu", ["as shipped"], amp=mixes_precision(True, "cpu")
        )
        assert difference(peer, own, slices) < 1e-4
        for part, limit in (("reconstruct", 0.6), ("train_step", 0.7)):
            against = ratios_to_the_first([peer, own, *mixed], part, slices, rounds=3)
            assert against[1] < 1.1
            assert against[-1] < (limit if mixed else 1)


def ratios_to_the_first(entries: list[Contestant], part: str, slices: Slices, rounds: int) -> list[float]:
    """Time of each contestant's ``part`` over the first one's, medians over rounds."""
    timings = take_turns({entry.label: (lambda entry=entry: getattr(entry, part)(slices)) for entry in entries}, rounds)
    return [ratio(timing, timings[entries[0].label]).median for timing in timings.values()]
