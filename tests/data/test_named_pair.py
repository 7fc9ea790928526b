"""The T1 of a T2 that comes alone: the one given, or one beside it by name; else a sentence says where to put it."""

from __future__ import annotations

from pathlib import Path

import pytest

from bundle.data import NamedPaird, t1_beside
from bundle.errors import BundleError
from tests.data.tiny_images import volume
from tests.dicom_series import write_dicom_pair


@pytest.mark.parametrize(
    ("t2", "t1"),
    [
        ("p3_T2.nii.gz", "T1/p3_T1.nii.gz"),
        ("p3_T2.nii.gz", "p3_T1.nii"),
        ("p3_T2w.nii", "t1w/p3.nii.gz"),
        ("p3.nii.gz", "T1/p3.nii.gz"),
        ("IXI002-Guys-0828-T2.nii.gz", "T1/IXI002-Guys-0828-T1.nii.gz"),
        ("sub-01_ses-2_T2w.nii.gz", "T1/sub-01_ses-2_T1w.nii.gz"),
        ("a (1)-T2.nii.gz", "T1/a (1)-T1.nii.gz"),
    ],
)
def test_t1_is_found_beside_t2_by_its_name(tmp_path, t2, t1):
    volume(
        tmp_path, t2, t1, "p4_T2.nii.gz", "T1/p4_T1.nii.gz", "T1/sub-01_ses-1_T1w.nii.gz", "labels/original/p3.nii.gz"
    )
    assert t1_beside(tmp_path / t2) == tmp_path / t1


@pytest.mark.parametrize(
    ("files", "said"),
    [
        (
            ["p3_T2.nii.gz"],
            r"p3_T2.nii.gz has no T1 beside it by name; put it at \S+/T1/p3_T1.nii.gz, or give its path",
        ),
        (["p3_T2.nii.gz", "T1/p33_T1.nii.gz"], "has no T1 beside it by name"),
        (["p3_T2.nii.gz", "T1/p3_T1.nii.gz", "p3_T1.nii"], "has no T1 that could be told: several candidates"),
        (["p3_T1.nii.gz", "T1/p3_T1.nii.gz"], "p3_T1.nii.gz is a T1 by its name; name the T2"),
        (
            ["p3_flair.nii.gz"],
            "p3_flair.nii.gz is no T2 by its name, which is one of FLAIR or after a contrast agent; ",
        ),
    ],
)
def test_where_there_is_none_or_several_one_sentence_says_so(tmp_path, files, said):
    volume(tmp_path, *files)
    with pytest.raises(BundleError, match=said) as raised:
        t1_beside(tmp_path / files[0])
    assert "\n" not in str(raised.value)


@pytest.mark.parametrize("given", ["T1/other_T1.nii.gz", "{folder}/T1/other_T1.nii.gz"])
def test_a_t1_that_is_given_goes_before_the_one_beside_t2(tmp_path, given):
    volume(tmp_path, "p3_T2.nii.gz", "T1/p3_T1.nii.gz", "T1/other_T1.nii.gz")
    item = {"image": str(tmp_path / "p3_T2.nii.gz"), "t1": given.format(folder=tmp_path), "device": "cpu"}
    found = NamedPaird()(item)
    files = {"t1": str(tmp_path / "T1/other_T1.nii.gz"), "t2": item["image"]}
    assert found == {**item, **files, "subject": "p3_T2", "files": files}
    assert NamedPaird()({**item, "t1": None})["t1"] == str(tmp_path / "T1/p3_T1.nii.gz")


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"image": ""}, "The image is the path of a NIfTI file, not ''."),
        ({"t1": 3}, "t1 is the path of a NIfTI file, not 3."),
        ({"t1": "no.nii"}, r"\S+/no.nii does not exist"),
        ({"t1": "p3_T2.nii.gz"}, "T1 and T2 are the same image"),
        ({"image": "{folder}/no_T2.nii", "t1": "T1/p3_T1.nii.gz"}, r"\S+/no_T2.nii does not exist"),
    ],
)
def test_what_is_no_pair_is_refused_before_it_is_read(tmp_path, changed, said):
    volume(tmp_path, "p3_T2.nii.gz", "T1/p3_T1.nii.gz", shape=(13, 13, 13))
    item = {"image": str(tmp_path / "p3_T2.nii.gz")} | changed
    item["image"] = str(item["image"]).format(folder=Path(tmp_path))
    with pytest.raises(BundleError, match=said):
        NamedPaird()(item)


def test_the_series_of_folders_are_kept_and_may_be_chosen(tmp_path):
    t1, t2 = write_dicom_pair(tmp_path)
    files = NamedPaird()({"image": t2, "t1": t1, "t2_series": 5})["files"]
    assert (files["t1"], files["t2"]) == (t1, t2) and files["t1_series"] != files["t2_series"]
    with pytest.raises(BundleError, match="holds no DICOM series 7, which t1_series asks for"):
        NamedPaird()({"image": t2, "t1": t1, "t1_series": 7})
