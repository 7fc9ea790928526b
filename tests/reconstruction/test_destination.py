"""A reconstruction's file is refused before anything is computed, or written whole with its report."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from bundle.errors import BundleError
from bundle.outputs import write_whole
from bundle.reconstruction.destination import check_destination


@pytest.fixture
def inputs(tmp_path, monkeypatch) -> dict[str, Path]:
    monkeypatch.chdir(tmp_path)
    files = {"t1": Path("s.T1.nii.gz"), "t2": Path("s.T2.nii")}
    for file in files.values():
        file.write_text("an image")
    return files


@pytest.mark.parametrize("name", ["out.nii.gz", "out.nii", "new/folder/Out.NII.GZ", "run#7.nii", "$x.nii"])
def test_a_new_file_passes_and_nothing_is_made(inputs, tmp_path, name):
    assert check_destination(name, False, inputs) == Path(name)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["s.T1.nii.gz", "s.T2.nii"]


@pytest.mark.parametrize(
    ("output", "said"),
    [
        ("out.mgz", "The output is a NIfTI file, named .nii.gz or .nii as s_recon.nii.gz, not out.mgz."),
        ("out", "The output is a NIfTI file, .* not out."),
        (".", "The output . is a folder; name a file in it, as s_recon.nii.gz."),
        ("s.T2.nii", "The output s.T2.nii is the file that is given as t2; name another."),
        ("../{here}/s.T1.nii.gz", "is the file that is given as t1; name another."),
        ("x" * 252 + ".nii", "The output x+.nii would have a name of 256 bytes, and . allows 255; shorten"),
        ("s.T2.nii/out.nii", "The output's folder s.T2.nii cannot be written .*; give another output."),
        (3, "output is a path, not 3."),
        (np.zeros((8, 8, 8)), r"output is a path, not a ndarray of shape \(8, 8, 8\); write it to a file.$"),
    ],
)
def test_what_is_no_file_to_write_is_refused_even_where_replacing_is_allowed(inputs, tmp_path, output, said):
    output = output.format(here=tmp_path.name) if isinstance(output, str) else output
    with pytest.raises(BundleError, match=said):
        check_destination(output, True, inputs)


@pytest.mark.parametrize(
    ("there", "told"),
    [
        (["out.nii.gz"], "There is out.nii.gz already; name another output, or allow replacing with overwrite"),
        (["out.json"], "There is out.json already; "),
        (["out.nii.gz", "out.json"], "There is out.nii.gz and out.json already; "),
    ],
)
def test_an_earlier_reconstruction_or_its_report_is_kept_unless_asked(inputs, there, told):
    for name in there:
        Path(name).write_text("earlier")
    with pytest.raises(BundleError, match=told):
        check_destination("out.nii.gz", False, inputs)
    assert check_destination("out.nii.gz", True, inputs) == Path("out.nii.gz")
    assert [Path(name).read_text() for name in there] == ["earlier"] * len(there)


def test_a_word_that_says_no_replaces_nothing_and_another_is_refused(inputs):
    Path("out.nii.gz").write_text("earlier")
    with pytest.raises(BundleError, match="There is out.nii.gz already"):
        check_destination("out.nii.gz", "false", inputs)
    with pytest.raises(BundleError, match="overwrite is true or false, not 'no'"):
        check_destination("out.nii.gz", "no", inputs)


def test_what_another_reconstruction_wrote_meanwhile_is_not_replaced(inputs):
    check_destination("out.nii.gz", False, inputs)
    Path("out.nii.gz").write_text("of the other")
    with pytest.raises(BundleError, match="out.nii.gz was written by another run since this one began"):
        write_whole("out.nii.gz", b"mine")
    assert Path("out.nii.gz").read_text() == "of the other"
