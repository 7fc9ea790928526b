"""A user's mistake is shown as one sentence, a defect with its traceback; both end the program with status 1."""

from __future__ import annotations

import errno
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from monai.bundle import ConfigParser
from torch.utils.data import DataLoader, Dataset

from bundle.errors import BundleError, _show, first_bundle_error

ROOT = Path(__file__).parents[1]
START = "from bundle.errors import BundleError, report_errors_plainly\nreport_errors_plainly()\n"


def run(program: str) -> subprocess.CompletedProcess:
    command = [sys.executable, "-c", START + program]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)


@pytest.mark.parametrize(
    "program",
    [
        "raise BundleError('x.nii does not exist.')",
        "try:\n    raise BundleError('x.nii does not exist.')\n"
        "except BundleError as e:\n    raise RuntimeError('Failed to instantiate') from e",
        "try:\n    raise BundleError('x.nii does not exist.')\n"
        "except BundleError:\n    raise RuntimeError('applying transform')",
        "try:\n    try:\n        raise BundleError('x.nii does not exist.')\n"
        "    except BundleError as e:\n        raise KeyError('a') from e\n"
        "except KeyError as e:\n    raise RuntimeError('b') from e",
    ],
    ids=["itself", "as a cause", "as a context", "two deep"],
)
def test_users_mistake_is_shown_as_its_sentence_alone(program):
    result = run(program)
    assert (result.returncode, result.stdout, result.stderr) == (1, "", "Error: x.nii does not exist.\n")


@pytest.mark.parametrize("error", ["ZeroDivisionError", "ValueError", "RuntimeError"])
def test_other_errors_keep_their_traceback(error):
    result = run(f"raise {error}('a defect')")
    assert result.returncode == 1 and "Error: a defect" in result.stderr and "Traceback" in result.stderr


def test_mistake_stands_on_a_line_of_its_own_not_behind_a_bar():
    bar = "import sys, tqdm; sys.stderr.isatty = lambda: True\nbar = tqdm.tqdm(range(9), disable=None)\n"
    drawn, wiped, error = run(bar + "raise BundleError('x.nii does not exist.')").stderr.splitlines()[-3:]
    assert "0/9" in drawn and not wiped.strip() and error == "Error: x.nii does not exist."


def test_interruption_is_one_line():
    result = run("try:\n    raise BundleError('x')\nexcept BundleError:\n    raise KeyboardInterrupt")
    assert (result.returncode, result.stdout, result.stderr) == (-signal.SIGINT, "", "Interrupted.\n")


def test_mistake_in_a_worker_of_the_dataloader_is_its_sentence_without_the_workers_traceback():
    class Broken(Dataset):
        def __len__(self) -> int:
            return 1

        def __getitem__(self, index: int) -> int:
            try:
                raise BundleError("x.nii is damaged.")
            except BundleError as error:
                raise RuntimeError("applying transform") from error

    with pytest.raises(RuntimeError) as caught:
        next(iter(DataLoader(Broken(), num_workers=1)))
    assert "Traceback" in str(caught.value) and first_bundle_error(caught.value) == "x.nii is damaged."


@pytest.mark.parametrize(
    ("config", "sentence"),
    [
        ({"a": "@nothing"}, "Error: A config refers to @nothing, which no config file defines.\n"),
        ({"a": {"_target_": "no.such"}}, "'no.such', which a config gives as _target_.\n"),
        ({"a": "$@b / 0", "b": 1}, " of a config fails: ZeroDivisionError, division by zero.\n"),
        ({"a": "$@b / 0", "b": 1}, "$@b / 0"),
        (
            {"a": {"_target_": "fractions.Fraction", "numerator": "x"}},
            "fractions.Fraction of a config takes no such num",
        ),
    ],
)
def test_config_that_cannot_be_resolved_is_told_in_a_sentence(config, sentence, capsys):
    with pytest.raises(Exception) as caught:  # noqa: PT011 - of whatever kind MONAI makes it
        ConfigParser(config).get_parsed_content("a")
    _show(caught.type, caught.value, caught.tb)
    shown = capsys.readouterr().err
    assert shown.startswith("Error: ") and sentence in shown and shown.count("\n") == 1


def test_defect_in_what_a_config_calls_keeps_its_traceback(capsys):
    with pytest.raises(RuntimeError) as caught:
        ConfigParser({"a": "$__import__('json').loads('{')"}).get_parsed_content("a")
    _show(caught.type, caught.value, caught.tb)
    assert "Traceback" in capsys.readouterr().err


def test_without_the_report_a_mistake_is_an_ordinary_exception():
    program = "from bundle.errors import BundleError; raise BundleError('x')"
    result = subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=False)
    assert "Traceback" in result.stderr and issubclass(BundleError, ValueError)


@pytest.mark.parametrize("code", [errno.EACCES, errno.ENAMETOOLONG])
def test_a_path_that_cannot_be_asked_about_is_a_sentence_also_where_monai_wraps_it(code):
    wrapped = RuntimeError("Failed to instantiate")
    wrapped.__cause__ = OSError(code, os.strerror(code), "/shared/model.pt")
    assert first_bundle_error(wrapped).startswith(f"/shared/model.pt cannot be used ({os.strerror(code)}); ")


@pytest.mark.parametrize("error", [OSError(errno.EACCES, "Permission denied"), FileNotFoundError(2, "none", "/x")])
def test_other_errors_of_the_system_stay_what_they_are(error):
    assert first_bundle_error(error) is None


def test_a_path_out_of_reach_that_was_got_over_does_not_hide_a_defect():
    for error in (RuntimeError("a defect"), KeyError("another")):
        error.__context__ = PermissionError(errno.EACCES, "Permission denied", "/cache/x")
        assert first_bundle_error(error) is None
