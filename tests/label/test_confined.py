"""Paths of a request stay in the folders that it may name, whatever leads out of them."""

from __future__ import annotations

import os

import pytest

from bundle.errors import BundleError
from bundle.label.confined import check_texts, confined_path


@pytest.fixture
def folders(tmp_path):
    studies, also = tmp_path / "studies", tmp_path / "also"
    for folder in (studies / "T1", also, tmp_path / "studies-of-others"):
        folder.mkdir(parents=True)
    os.symlink(tmp_path / "studies-of-others", studies / "link")
    os.symlink(studies / "T1", studies / "inside")
    os.symlink(studies / "round", studies / "round")
    return studies, also


@pytest.mark.parametrize(
    "path", ["a.nii", "T1/a.nii", "{0}/a.nii", "{1}/a.nii", "inside/a.nii", "T1/../a.nii", "~nobody-here/a", "."]
)
def test_what_lies_inside_passes(folders, path):
    assert confined_path("t1", path.format(*folders), folders).is_relative_to(folders[0].parent)


@pytest.mark.parametrize(
    "path",
    ["..", "../a", "/etc/passwd", "{0}/../a", "{0}-of-others/a", "link/a", "round/a", "a\0/b", "~"],
)
def test_what_leads_out_is_refused_in_one_sentence(folders, path):
    with pytest.raises(BundleError, match="^t1 .* is outside the folder of studies; .* with --also.$"):
        confined_path("t1", path.format(*folders), folders)


def test_every_text_of_a_request_is_looked_at_and_those_that_are_no_paths_pass(folders):
    request = {"device": "cuda:0", "visible": ["t1", "t2"], "acceleration": 4, "a": {"t1": "T1/a.nii", "x": None}}
    check_texts(request, folders)
    for value in ("../x", "http://10.0.0.1/x", "~root", ".."):
        with pytest.raises(BundleError, match="^x "):
            check_texts({"a": [1, {"x": value}]}, folders)
