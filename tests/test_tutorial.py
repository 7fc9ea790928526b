"""docs/tutorial.ipynb runs from its first cell to its last, and shows its pictures where it is read."""

from __future__ import annotations

import os
from pathlib import Path

import nbformat
import pytest
from nbclient import NotebookClient

from tests.early import Early, new_folder

ROOT = Path(__file__).parents[1]
TUTORIAL = ROOT / "docs" / "tutorial.ipynb"


def test_the_pictures_and_tables_are_in_the_notebook():
    outputs = [output for cell in nbformat.read(TUTORIAL, 4).cells for output in cell.get("outputs", ())]
    kinds = [kind for output in outputs for kind in output.get("data", {})]
    assert kinds.count("image/png") == 4 and kinds.count("text/html") == 2
    assert not any(output.output_type == "error" for output in outputs)


@Early
def execution() -> None:
    """All cells, executed in a kernel of their own, whose temporary folder goes with the tests."""
    client = NotebookClient(nbformat.read(TUTORIAL, 4), timeout=900, resources={"metadata": {"path": TUTORIAL.parent}})
    client.execute(env=os.environ | {"TMPDIR": str(new_folder())})


@pytest.mark.slow
@pytest.mark.needs(execution)
def test_every_cell_runs():
    execution()
