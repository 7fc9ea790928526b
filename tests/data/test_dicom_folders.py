"""The series of a folder are listed by number, description and slices, and one of them is chosen."""

from __future__ import annotations

import shutil
import sys

import numpy as np
import pytest

from bundle.data.dicom_folders import choose_series, find_series
from bundle.errors import BundleError
from tests.dicom_series import T2_SHAPE, T2_SPACING, affine_of, write_series

AFFINE = affine_of(T2_SHAPE, T2_SPACING)
VOXELS = np.random.default_rng(0).integers(0, 900, T2_SHAPE)
_ECHOES = ["12", "100"]


def two_echoes(image, place: int) -> None:
    image.EchoTime = _ECHOES[place % 2]


@pytest.fixture(scope="module")
def study(tmp_path_factory):
    """A T1, a T2 and a series of two echoes without a description, below one folder, beside what is no image."""
    folder = tmp_path_factory.mktemp("study")
    write_series(folder / "a" / "T1", VOXELS, AFFINE, 3, "t1_se_tra")
    (uid_of_t2,) = {one.uid for one in find_series(write_series(folder / "b", VOXELS, AFFINE)[0].parent)}
    write_series(folder / "c", VOXELS, AFFINE, 12, "", two_echoes)
    (folder / "notes.txt").write_text("x" * 200)
    (folder / ".hidden").write_bytes(b"x" * 128 + b"DICM damaged")
    shutil.copy(folder / "b" / "IM0001", folder / "copy")
    return folder, uid_of_t2


def test_series_are_listed_in_their_order_each_echo_for_itself_and_a_copy_once(study):
    told = [(one.told(), one.echo) for one in find_series(study[0])]
    assert told == [
        ("3 't1_se_tra' (6 slices)", ""),
        ("5 't2_tse_tra' (6 slices)", ""),
        ("12-1 '' (echo time 12 ms, 3 slices)", "12"),
        ("12-2 '' (echo time 100 ms, 3 slices)", "100"),
    ]


def test_one_is_chosen_by_number_echo_uid_or_because_there_is_no_other(study):
    folder, uid = study
    assert {choose_series(folder, choice).uid for choice in (5, "5", uid)} == {uid}
    second = choose_series(folder, "12-2")
    assert (second.name, second.echo, len(second.headers)) == ("12-2", "100", 3)
    assert choose_series(folder, second.key).headers == second.headers
    assert choose_series(folder / "b").name == "5"


@pytest.mark.parametrize(
    ("choice", "said"),
    [
        (
            None,
            r"holds 4 DICOM series: 3 't1_se_tra' \(6 slices\), .*; choose one by .* with t1_series, as --t1_series 3",
        ),
        (12, r"holds 2 DICOM series: 12-1 '' .*, 12-2 .*; choose one .* --t1_series 12-1 on the command line"),
        (7, r"holds no DICOM series 7, which t1_series asks for, but 3 't1_se_tra' \(6 slices\), 5 't2"),
    ],
)
def test_without_a_choice_or_with_a_wrong_one_they_are_listed_in_one_sentence(study, choice, said):
    with pytest.raises(BundleError, match=said):
        choose_series(study[0], choice, "t1")


def test_a_series_without_a_number_is_named_by_its_uid(tmp_path):
    write_series(tmp_path, VOXELS, AFFINE, change=lambda image, place: delattr(image, "SeriesNumber"))
    (one,) = find_series(tmp_path)
    assert one.name == one.key == one.uid and choose_series(tmp_path, one.uid).uid == one.uid


def test_a_folder_without_an_image_and_a_damaged_file_are_refused_by_name(tmp_path):
    (tmp_path / "a.txt").write_text("no DICOM")
    with pytest.raises(BundleError, match=r"is a folder without a DICOM image \(1 other file\); expected a NIfTI file"):
        choose_series(tmp_path)
    first = write_series(tmp_path, VOXELS, AFFINE)[0]
    for length in (600, 140):  # within the header, and within what stands before it
        first.write_bytes(first.read_bytes()[:length])
        with pytest.raises(BundleError, match="IM0001 is a damaged DICOM file"):
            choose_series(tmp_path)


@pytest.mark.parametrize("time", [["80", "90"], None])
def test_an_echo_time_that_is_no_single_number_is_unknown(tmp_path, time):
    write_series(tmp_path, VOXELS, AFFINE, change=lambda image, place: setattr(image, "EchoTime", time))
    (one,) = find_series(tmp_path)
    assert not one.echo and len(one.headers) == VOXELS.shape[2]


def test_an_image_that_tells_no_series_is_refused_as_that_and_not_as_damaged(tmp_path):
    write_series(tmp_path, VOXELS, AFFINE, change=lambda image, place: delattr(image, "SeriesInstanceUID"))
    with pytest.raises(BundleError, match="IM0001 has no SeriesInstanceUID, by which"):
        find_series(tmp_path)


def test_a_series_behind_a_link_is_found_once_also_where_a_link_leads_back(tmp_path):
    write_series(tmp_path / "archive" / "series", VOXELS, AFFINE)
    (tmp_path / "study").mkdir()
    (tmp_path / "study" / "t2").symlink_to(tmp_path / "archive" / "series")
    (tmp_path / "archive" / "series" / "up").symlink_to(tmp_path / "study")
    (one,) = find_series(tmp_path / "study")
    assert len(one.headers) == VOXELS.shape[2]


def test_without_pydicom_the_sentence_says_how_to_get_it(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "pydicom", None)
    with pytest.raises(BundleError, match="pydicom, which cannot be found: pip install"):
        choose_series(tmp_path)
