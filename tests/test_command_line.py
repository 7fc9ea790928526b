"""``python -m bundle`` lists its commands, each has help, and a wrong name is answered by the list."""

from __future__ import annotations

import subprocess
import sys

import pytest

from bundle.__main__ import COMMANDS, main
from tests.bundle_runs import ROOT


def test_python_m_bundle_lists_all_commands_with_what_they_do():
    result = subprocess.run([sys.executable, "-m", "bundle"], cwd=ROOT, capture_output=True, text=True, check=False)
    assert result.returncode == 0 and result.stderr == ""
    for name, (_, what) in COMMANDS.items():
        assert f"{name} {what}" in " ".join(result.stdout.split())


@pytest.mark.parametrize("name", COMMANDS)
def test_each_command_has_help_in_its_own_name(name, capsys):
    with pytest.raises(SystemExit) as end:
        main([name, "--help"])
    assert end.value.code == 0
    assert capsys.readouterr().out.startswith(f"usage: python -m bundle {name} ")


def test_a_reader_that_has_read_enough_ends_a_command_without_a_word():
    with subprocess.Popen(
        [sys.executable, "-m", "bundle", "settings"], cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    ) as process:
        process.stdout.close()
        assert process.stderr.read() == b""
    assert process.returncode == 141


def test_an_unknown_command_is_refused_with_the_list(capsys):
    with pytest.raises(SystemExit) as end:
        main(["pears"])
    assert end.value.code == 2
    said = capsys.readouterr().err
    assert "pears" in said and all(name in said for name in COMMANDS)


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["inspect", "~no-such-user/scan.h5"], "~no-such-user"),
        (["pairs", "~no-such-user"], "~no-such-user"),
        (["quality", "~no-such-user"], "~no-such-user"),
        (
            ["study", "nope.yaml", "--output", "out"],
            "no study file nope.yaml; the bundle's own, in configs/studies, are ablation.yaml, ",
        ),
    ],
)
def test_what_is_not_there_is_told_in_a_sentence(arguments, sentence, capsys):
    assert main(arguments) == 1
    said = capsys.readouterr().err
    assert sentence in said and said.startswith("Error: ") and said.count("\n") == 1


LONG = "x" * 300


@pytest.mark.parametrize(
    "arguments",
    [
        ["pairs", LONG],
        ["demo", LONG],
        ["quality", ".", "-o", f"{LONG}.html"],
        ["inspect", f"{LONG}.nii.gz"],
        ["study", f"{LONG}.yaml", "--output", "out"],
        ["reconstruct", f"{LONG}.nii.gz", "t2.nii.gz", "-o", "out.nii.gz"],
    ],
    ids=lambda arguments: arguments[0],
)
def test_a_name_that_no_disk_holds_is_told_in_a_sentence(arguments, capsys, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert main(arguments) == 1
    said = capsys.readouterr().err
    assert LONG in said and said.startswith("Error: ") and said.count("\n") == 1
    assert not list(tmp_path.iterdir())
