"""A user's mistake is shown as one sentence, a defect with its traceback; both end the program with status 1."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from bundle.errors import BundleError

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


def test_without_the_report_a_mistake_is_an_ordinary_exception():
    program = "from bundle.errors import BundleError; raise BundleError('x')"
    result = subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=False)
    assert "Traceback" in result.stderr and issubclass(BundleError, ValueError)
