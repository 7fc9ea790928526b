"""A datalist is read back as it was written; one that cannot be right is refused in one sentence."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from bundle.data.datalist import read_datalist, select, volume_name, write_datalist
from bundle.data.inference_pair import inference_items
from bundle.errors import BundleError

from .tiny_images import volume

A = {"subject": "a", "t1": "1.nii", "t2": "2.nii"}


def image(path: Path, dtype: type = np.float32) -> Path:
    """Write a tiny NIfTI file."""
    volume(path.parent, path.name, dtype=dtype)
    return path


@pytest.mark.parametrize(
    ("item", "name"),
    [
        ({"subject": "a"}, "a"),
        ({"subject": "a", "session": "ses-1"}, "a_ses-1"),
        ({"subject": "größe 1/2"}, "größe_1_2"),
        ({"subject": "../x"}, "_x"),
    ],
)
def test_a_volume_name_is_safe_as_a_file_name(item, name):
    assert volume_name(item) == name


def test_what_is_written_is_read_back_with_absolute_paths(tmp_path):
    item = {"subject": "a", "t1": str(image(tmp_path / "1.nii")), "t2": str(image(tmp_path / "2.nii"))}
    marked = item | {"session": "b", "lesions": str(tmp_path / "masks" / "3.nii")}
    write_datalist({"training": [item, marked], "test": []}, tmp_path / "datalist.json")
    assert read_datalist(tmp_path) == {"training": [item, marked], "test": []}
    assert '"lesions": "masks/3.nii"' in (tmp_path / "datalist.json").read_text()
    assert not list(tmp_path.glob(".datalist*"))


def test_a_path_may_begin_at_the_home_folder(tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    t1, t2 = (image(tmp_path / "home" / name) for name in ("1.nii", "2.nii"))
    (tmp_path / "datalist.json").write_text(json.dumps({"test": [{"subject": "a", "t1": "~/1.nii", "t2": str(t2)}]}))
    assert read_datalist(tmp_path)["test"][0] == {"subject": "a", "t1": str(t1), "t2": str(t2)}


def test_an_unknown_or_empty_list_is_refused():
    with pytest.raises(BundleError, match="no list 'tset'"):
        select({"training": [A]}, "tset")
    with pytest.raises(BundleError, match="'test' of the datalist is empty"):
        select({"training": [A], "test": []}, "test")
    assert select({"test": [A]}, "test") == [A]


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ("{", "not readable JSON"),
        ([A], "not a list"),
        ({"name": "x"}, "no list of pairs"),
        ({"training": ["a"]}, r"training\[0\] must be an object"),
        ({"training": [{"subject": "a", "t1": "1.nii"}]}, "needs the key 't2'"),
        ({"training": [{**A, "subject": 3}]}, "needs the key 'subject'"),
        ({"training": [{**A, "t1": "gone.nii"}]}, r"training\[0\], t1: .*gone.nii does not exist"),
        ({"training": [A, {**A, "subject": "b", "t2": "complex.nii"}]}, r"\[1\], t2: .* holds complex voxels"),
        ({"training": [{**A, "session": ["b"]}]}, r"training\[0\] has \['b'\] as session; expected a text"),
        ({"training": [A], "test": [A]}, "both 'training' and 'test'"),
        ({"training": [A], "test": [{**A, "subject": "A"}]}, r"'A' in both 'training' \(as 'a', one name where files"),
        (
            {"training": [{**A, "subject": "a b"}], "test": [{**A, "subject": "a_b"}]},
            r"'a_b' in both 'training' \(as 'a b'",
        ),
        ({"training": [A, A]}, "'a' twice"),
        ({"training": [A, {**A, "subject": "A"}]}, "'A' twice, as names of files are compared"),
        ({"training": [{**A, "t2": "1.nii"}]}, "the same image as T1 and T2 of 'a'"),
        ({"training": [A], "test": [{**A, "subject": "b"}]}, "one image in two lists: .*1.nii in 'training'"),
        ({"training": [A], "test": [{**A, "subject": "b", "t1": "3.nii"}]}, "one image in two lists: .*2.nii in"),
        ('{"training": [], "training": []}', "a key stands twice in an object with the keys training, training"),
        ("[" * 99_999, "not readable JSON"),
        ({"training": [{**A, "t1": "\ud800.nii"}]}, "does not exist"),
        ({"training": [{**A, "t1": "a\0.nii"}]}, "does not exist"),
    ],
)
def test_a_datalist_that_cannot_be_right_is_refused(tmp_path, content, words):
    for name in ("1.nii", "2.nii", "3.nii"):
        image(tmp_path / name)
    image(tmp_path / "complex.nii", np.complex64)
    (tmp_path / "datalist.json").write_text(content if isinstance(content, str) else json.dumps(content))
    with pytest.raises(BundleError, match=words) as error:
        read_datalist(tmp_path)
    assert "\n" not in str(error.value)


def test_a_missing_folder_or_datalist_is_refused_with_the_command_that_makes_one(tmp_path):
    with pytest.raises(BundleError, match="does not exist"):
        read_datalist(tmp_path / "gone")
    (tmp_path / "file").touch()
    with pytest.raises(BundleError, match="file is a file; set dataset_dir to the folder with datalist.json"):
        read_datalist(tmp_path / "file")
    with pytest.raises(BundleError, match="python -m bundle pairs"):
        read_datalist(tmp_path)


def test_inference_takes_the_pair_that_is_given_or_a_list_of_the_datalist(tmp_path):
    pair = {key: str(image(tmp_path / f"x-{key}.nii.gz")) for key in ("t1", "t2")}
    assert inference_items(**pair, dataset_dir="") == [{"subject": "x-t2", **pair}]
    write_datalist({"test": [{"subject": "a", **pair}]}, tmp_path / "datalist.json")
    assert inference_items("null", None, str(tmp_path)) == [{"subject": "a", **pair}]


def test_one_image_as_t1_and_t2_of_an_inference_is_refused_under_any_name(tmp_path):
    t2 = image(tmp_path / "t2.nii")
    (tmp_path / "link.nii").symlink_to(t2)
    for t1 in (t2, tmp_path / "link.nii"):
        with pytest.raises(BundleError, match="T1 and T2 are the same image"):
            inference_items(str(t1), str(t2), str(tmp_path))


def test_a_path_that_is_no_text_is_refused_and_nothing_is_written(tmp_path):
    with pytest.raises(BundleError, match="not UTF-8"):
        write_datalist(
            {"test": [{"subject": "a", "t1": "/M\udcfcller/1.nii", "t2": "/2.nii"}]}, tmp_path / "datalist.json"
        )
    assert not list(tmp_path.iterdir())


def test_half_a_pair_and_a_file_that_is_no_volume_are_refused_before_either_is_read(tmp_path):
    t1, t2 = str(image(tmp_path / "t1.nii")), str(image(tmp_path / "t2.nii", np.complex64))
    with pytest.raises(BundleError, match="--t1 is there, --t2 FILE is missing"):
        inference_items(t1, None, str(tmp_path))
    with pytest.raises(BundleError, match="t2.nii holds complex voxels"):
        inference_items(t1, t2, str(tmp_path))


def test_a_file_in_a_folder_that_may_not_be_entered_is_refused_in_a_sentence(tmp_path, monkeypatch):
    def denied(path, *args, **kwargs):
        raise PermissionError(13, "Permission denied", str(path))

    monkeypatch.setattr(Path, "stat", denied)
    with pytest.raises(BundleError, match="t1.nii lies in a folder that this user may not enter"):
        inference_items("t1.nii", "t2.nii", "")
