"""Log lines go around bars, bars stay away where no terminal shows them, and no console ends a run."""

from __future__ import annotations

import io
import logging
import sys
from logging.config import fileConfig
from pathlib import Path

import pytest
from monai.apps import get_logger

from bundle.console import end_bars, prepare_console, progress_bar

ROOT = Path(__file__).parents[1]


class Terminal(io.StringIO):
    """What is written to it, as if to a terminal."""

    def isatty(self) -> bool:
        return True


@pytest.fixture
def loggers():
    """Handlers, levels and propagation as they were before the test."""
    named = [
        logging.getLogger(name) for name in (None, "bundle", "monai", "ignite.engine", *logging.root.manager.loggerDict)
    ]
    before = [(logger, list(logger.handlers), logger.level, logger.propagate) for logger in named]
    yield
    for logger, handlers, level, propagate in before:
        logger.handlers, logger.propagate = handlers, propagate
        logger.setLevel(level)


def apply_logging_conf(terminal: io.StringIO, monkeypatch) -> None:
    monkeypatch.setattr(sys, "stdout", terminal)
    monkeypatch.setattr(sys, "stderr", terminal)
    fileConfig(ROOT / "configs" / "logging.conf", disable_existing_loggers=False)


def test_a_run_prints_the_bundles_lines_and_the_warnings_of_others_each_once_in_one_format(loggers, monkeypatch):
    get_logger("monai.bundle.said")  # with a handler and a format of its own, as MONAI's have
    terminal = Terminal()
    apply_logging_conf(terminal, monkeypatch)
    prepare_console()
    logging.getLogger("monai.bundle.said").info("input summary")
    logging.getLogger("monai.bundle.said").warning("of MONAI")
    logging.getLogger("ignite.engine.engine.SupervisedTrainer").error("Engine run is terminating due to exception")
    logging.getLogger("matplotlib.font_manager").info("generated new fontManager")
    logging.getLogger("bundle.training.handlers").info("Epoch 1/2")
    lines = terminal.getvalue().splitlines()
    assert [line.partition(" ")[2] for line in lines] == ["WARNING of MONAI", "INFO Epoch 1/2"]


def test_other_processes_than_the_first_print_warnings_only_and_no_bars(loggers, monkeypatch):
    monkeypatch.setenv("RANK", "1")
    terminal = Terminal()
    apply_logging_conf(terminal, monkeypatch)
    prepare_console()
    logging.getLogger("bundle.x").info("said by each")
    logging.getLogger("bundle.x").warning("of this one")
    list(progress_bar(range(3), file=terminal))
    assert terminal.getvalue().endswith("WARNING of this one\n") and terminal.getvalue().count("\n") == 1


def test_a_line_stands_alone_and_the_bar_below_it(loggers, monkeypatch):
    terminal = Terminal()
    apply_logging_conf(terminal, monkeypatch)
    prepare_console()
    with progress_bar(range(3), file=terminal, desc="Bar"):
        logging.getLogger("bundle.x").info("a line")
        shown = terminal.getvalue()
    before, line, after = shown.partition("INFO a line\n")
    assert line and before.rpartition("\r")[2].strip().count(":") == 2 and after.startswith("\rBar")


def test_bars_are_for_terminals_and_leave_nothing_behind():
    file, terminal = io.StringIO(), Terminal()
    assert list(progress_bar(range(3), file=file)) == list(progress_bar(range(3), file=terminal)) == [0, 1, 2]
    assert file.getvalue() == ""
    assert "0/3" in terminal.getvalue() and terminal.getvalue().endswith(" \r") and "\n" not in terminal.getvalue()


def test_bars_that_an_error_leaves_are_wiped():
    terminal = Terminal()
    bar = progress_bar(range(3), file=terminal, leave=True)
    end_bars()
    assert bar.disable and terminal.getvalue().endswith("\r") and "\n" not in terminal.getvalue()


@pytest.mark.parametrize("encoding", ["ascii", "cp1252"])
def test_no_letter_ends_a_run_whatever_the_consoles_encoding(encoding, monkeypatch):
    raw = io.BytesIO()
    monkeypatch.setattr(sys, "stdout", io.TextIOWrapper(raw, encoding=encoding))
    prepare_console()
    print("säg 図 ±\udce4", flush=True)
    assert raw.getvalue().startswith(b"s") and b"\\u56f3" in raw.getvalue()
