"""A folder of outputs has one run at a time, and nothing of the lock is left in it."""

import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress

import pytest
from ignite.engine import Engine

from bundle.errors import BundleError
from bundle.outputs import begin_run, claim_outputs, write_whole
from bundle.sole_writer import SoleWriter

HOLD = """
import sys
from pathlib import Path
from bundle.sole_writer import SoleWriter
with SoleWriter(Path(sys.argv[1]), "training", "another output_dir"):
    print("held", flush=True)
    sys.stdin.read()
"""


@contextmanager
def held_elsewhere(folder):
    """Another process that holds a folder as a training, until it is killed or its input ends."""
    command = [sys.executable, "-c", HOLD, str(folder)]
    process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    assert process.stdout.readline() == "held\n"
    yield process
    process.kill()
    process.communicate()


@pytest.fixture
def other(tmp_path):
    with held_elsewhere(tmp_path / "out") as process:
        yield process


def sole_writer(tmp_path):
    return SoleWriter(tmp_path / "out", "training", "another output_dir")


def test_a_folder_that_another_process_holds_is_refused_in_a_sentence(tmp_path, other):
    with pytest.raises(BundleError, match="^Another training is writing to .*out; wait .*, or give another out"):
        with sole_writer(tmp_path):
            pass


def test_a_folder_is_free_again_when_its_process_was_killed(tmp_path, other):
    other.kill()
    other.wait()
    with sole_writer(tmp_path):
        pass


def test_a_folder_that_the_other_process_has_left_is_free(tmp_path, other):
    other.communicate("")
    with sole_writer(tmp_path):
        pass


def test_one_process_may_hold_a_folder_twice_and_holds_it_until_the_last_end(tmp_path):
    with sole_writer(tmp_path):
        with sole_writer(tmp_path):
            pass
        code = HOLD.replace("sys.stdin.read()", "")
        done = subprocess.run([sys.executable, "-c", code, tmp_path / "out"], capture_output=True, text=True)
        assert "Another training is writing" in done.stderr


def test_threads_of_one_process_share_it(tmp_path):
    def hold():
        with sole_writer(tmp_path):
            return True

    with sole_writer(tmp_path), ThreadPoolExecutor(1) as pool:
        assert pool.submit(hold).result() and (tmp_path / "out" / ".training.lock").exists()
    assert not (tmp_path / "out" / ".training.lock").exists()


def test_where_nothing_can_be_locked_the_run_goes_on_with_a_line(tmp_path, monkeypatch, caplog):
    def unknown(lock):
        raise NotImplementedError("no flock here")

    monkeypatch.setattr("filelock.FileLock._acquire", unknown)
    with sole_writer(tmp_path):
        pass
    assert "out cannot be locked; see that no other training writes to it meanwhile." in caplog.text


def test_nothing_is_left_but_what_the_block_wrote(tmp_path):
    with sole_writer(tmp_path):
        (tmp_path / "out" / "model.pt").touch()
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["model.pt"]


def test_an_engine_holds_the_folder_while_it_runs_and_lets_it_go_also_where_it_fails(tmp_path):
    held = []
    for work in (lambda: held.append(list((tmp_path / "out").iterdir())), lambda: 1 / 0):
        engine = Engine(lambda engine, batch, work=work: work())
        sole_writer(tmp_path).attach(engine)
        with suppress(ZeroDivisionError):
            engine.run([0])
        assert not list((tmp_path / "out").iterdir())
    assert [path.name for path in held[0]] == [".training.lock"]


def test_an_engine_that_comes_second_is_refused_and_one_of_another_kind_is_not(tmp_path, other):
    engine = Engine(lambda engine, batch: None)
    sole_writer(tmp_path).attach(engine)
    with pytest.raises(BundleError, match="Another training is writing"):
        engine.run([0])
    with SoleWriter(tmp_path / "out", "evaluation"):
        pass


def test_a_folder_that_another_run_has_filled_since_it_was_claimed_is_refused_and_let_go(tmp_path):
    claim_outputs(tmp_path / "out", ["model.pt", "reconstructions"])
    (tmp_path / "out" / "reconstructions").mkdir(parents=True)  # empty, as a refusal may leave it
    with sole_writer(tmp_path):
        pass
    (tmp_path / "out" / "model.pt").touch()
    with pytest.raises(BundleError, match="model.pt was written by another run since this one began"):
        with sole_writer(tmp_path):
            pass
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == ["model.pt", "reconstructions"]


def test_what_a_run_that_failed_had_claimed_does_not_bind_the_next_one_of_this_process(tmp_path):
    out = tmp_path / "out"
    claim_outputs(out, ["model.pt", "reconstructions"])
    write_whole(out / "reconstructions" / "a.nii.gz", b"its own, in a folder that it claimed")
    with sole_writer(tmp_path):
        pass
    (out / "model.pt").touch()  # by hand, after the failure
    begin_run()
    with sole_writer(tmp_path):
        pass
