"""The bundle's error type, and how a run shows it to a person.

A user's mistake (a missing file, an impossible mask, an output that is already there) is a ``BundleError`` whose
text is one sentence: what was expected, what came, which file, what to do. From Python it is an ordinary exception. On
the command line the first entry of each run list calls :func:`report_errors_plainly`, so that only the sentence is
printed, on a line of its own and without MONAI's traceback, and the exit status is 1.
"""

from __future__ import annotations

import errno
import re
import sys
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from types import TracebackType

from .console import end_bars, prepare_console

__all__ = ["BundleError", "errors_in_a_sentence", "first_bundle_error", "report_errors_plainly"]

_UNREACHABLE = {  # what a path cannot even be asked about: whether it is there
    errno.EACCES: "get leave to enter its folder, or name another",
    errno.ENAMETOOLONG: "name one that is shorter",
}
_SHALLOW = 4  # frames: a constructor that refuses its arguments, not what it sets going


class BundleError(ValueError):
    """A mistake that the user can mend; its text is one sentence without jargon."""


def report_errors_plainly() -> None:
    """Let an uncaught ``BundleError`` print its text alone, and Ctrl-C a word; other exceptions keep their traceback.

    Prepares the console, too (:mod:`bundle.console`). For runs only: it changes what the whole process prints.
    """
    prepare_console()
    sys.excepthook = _show


def first_bundle_error(error: BaseException) -> str | None:
    """The text of the ``BundleError``, or of the path out of reach, that an exception is or wraps; None without one."""
    return next(filter(None, map(_sentence, _chain(error))), None) or _out_of_reach(error)


@contextmanager
def errors_in_a_sentence() -> Iterator[None]:
    """Let a BundleError pass that MONAI wraps while it builds a component; other errors are what they are."""
    try:
        yield
    except Exception as error:
        if sentence := first_bundle_error(error):
            raise BundleError(sentence) from error
        raise


def _show(kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
    end_bars()
    sentence = "" if isinstance(error, KeyboardInterrupt) else first_bundle_error(error) or _config_mistake(error)
    if sentence is None:
        sys.__excepthook__(kind, error, trace)
    else:
        print(f"Error: {sentence}" if sentence else "Interrupted.", file=sys.stderr)


def _sentence(error: BaseException) -> str | None:
    """The text of a ``BundleError``, also of one that a worker of a ``DataLoader`` sends on as its traceback's text."""
    sent_on = re.findall(r"^\S*\bBundleError: (.+)$", str(error), flags=re.MULTILINE)
    if sent_on and str(error).startswith("Caught "):
        return sent_on[-1]
    return str(error) if isinstance(error, BundleError) else None


def _out_of_reach(error: BaseException | None) -> str | None:
    """The sentence for a path that cannot be asked about, where that is what ended it, and not what was got over."""
    while error is not None:
        if isinstance(error, OSError) and error.filename and error.errno in _UNREACHABLE:
            return f"{error.filename} cannot be used ({error.strerror}); {_UNREACHABLE[error.errno]}."
        error = error.__cause__
    return None


def _config_mistake(error: BaseException) -> str | None:
    """What is wrong with a config that MONAI cannot resolve; None for a defect in the code that it names."""
    for link in _chain(error):
        text, cause = str(link), link.__cause__
        if isinstance(link, ModuleNotFoundError) and text.startswith("Cannot locate class or function path"):
            return f"{text.rstrip('.')}, which a config gives as _target_."
        if found := re.match(r"the referring item `(.+)` is not defined", text):
            return f"A config refers to {found[1]}, which no config file defines."
        if found := re.match(r"Failed to instantiate component '(.+)' with keywords: (.+)", text):
            if (
                isinstance(cause, (TypeError, ValueError))
                and len(traceback.extract_tb(cause.__traceback__)) <= _SHALLOW
            ):
                return f"{found[1]} of a config takes no such {found[2].replace(',', ', ')}: {_first_line(cause)}."
        if found := re.match(r"Failed to evaluate ConfigExpression:\s*(.+)", text):
            frames = traceback.extract_tb(cause.__traceback__) if cause else []
            if frames and frames[-1].filename == "<string>":  # in the expression itself
                return f"The expression {_as_written(found[1])} of a config fails: {type(cause).__name__}, {cause}."
    return None


def _first_line(error: BaseException) -> str:
    return (str(error).splitlines() or [type(error).__name__])[0].rstrip(".")


def _as_written(expression: str) -> str:
    """An expression with the references as in the config, ``@id``; MONAI puts a look-up in their place."""
    return re.sub(r"__local_refs\[['\"]([^'\"]+)['\"]\]", r"@\1", expression)


def _chain(error: BaseException | None) -> Iterator[BaseException]:
    """The error and what caused it: MONAI wraps what happens while a config's component is built."""
    while error is not None:
        yield error
        error = error.__cause__ or error.__context__
