"""What stands in a folder is found or named."""

from __future__ import annotations

import os

import pytest

from bundle.data.nifti_files import nifti_files, some

from .tiny_images import volume


def test_files_come_sorted_and_hidden_ones_not_at_all(tmp_path):
    volume(tmp_path, "b.nii", "a/c.NII.GZ", ".hidden/d.nii", "._b.nii")
    left_out: list[str] = []
    assert nifti_files(tmp_path, left_out) == [tmp_path / "a/c.NII.GZ", tmp_path / "b.nii"] and left_out == []


def test_a_folder_that_may_not_be_entered_is_named(tmp_path, monkeypatch):
    volume(tmp_path, "a.nii", "closed/b.nii")
    scandir = os.scandir

    def refuse(path):
        if str(path).endswith("closed"):  # root may enter every folder
            raise PermissionError(13, "Permission denied", str(path))
        return scandir(path)

    monkeypatch.setattr(os, "scandir", refuse)
    left_out: list[str] = []
    assert nifti_files(tmp_path, left_out) == [tmp_path / "a.nii"]
    assert left_out == ["closed: cannot be entered (Permission denied)"]


def test_a_name_that_is_no_text_is_named_and_left_out(tmp_path):
    volume(tmp_path, "a.nii")
    try:
        os.rename(tmp_path / "a.nii", os.fsencode(tmp_path) + b"/M\xfcller_T1.nii")
    except OSError:
        pytest.skip("this file system takes UTF-8 only")
    left_out: list[str] = []
    assert nifti_files(tmp_path, left_out) == [] and "its name is not UTF-8; rename it" in left_out[0]


def test_files_of_other_formats_are_counted(tmp_path):
    for name in ("a.mgz", "b.dcm", "c.dcm", "readme.txt"):
        (tmp_path / name).touch()
    left_out: list[str] = []
    nifti_files(tmp_path, left_out)
    assert left_out == ["3 files of other formats (.dcm 2, .mgz 1): convert them to NIfTI"]


def test_a_long_list_is_cut_and_says_so():
    assert some("abc") == "a, b, c" and some("abcd", 2) == "a, b and 2 more"
