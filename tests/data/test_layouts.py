"""What a name and its folders say about an image."""

from __future__ import annotations

import pytest

from bundle.data.layouts import stem


@pytest.mark.parametrize("name", ["x/T2.nii", "T2.nii.gz", "T2.NII.GZ", "T2.Nii.gz", "/a.nii/T2.NII"])
def test_a_stem_is_the_name_without_its_whole_suffix_in_any_case(name):
    assert stem(name) == "T2"


def test_a_stem_keeps_what_only_looks_like_a_suffix():
    assert stem("a.nii.T2 säg (1).v2.nii.gz") == "a.nii.T2 säg (1).v2"
