"""What a sheet is made of: a datalist, a folder with or without one, a CSV; and what is none of these."""

from __future__ import annotations

import json
import shutil

import pytest

from bundle.errors import BundleError
from bundle.quality.source import pairs_of


def test_a_datalist_and_its_folder_give_all_lists_or_the_one_asked_for(pairs):
    items, left_out = pairs_of(pairs)
    assert items == pairs_of(pairs / "datalist.json")[0] and left_out == []
    assert [item["list"] for item in items] == ["training"] * 2 + ["test"] * 3
    assert {item["list"] for item in pairs_of(pairs, "test")[0]} == {"test"}


def test_a_missing_image_of_a_datalist_is_left_to_the_examination(tmp_path):
    item = {"subject": "a", "t1": "gone-T1.nii.gz", "t2": "gone-T2.nii.gz"}
    (tmp_path / "datalist.json").write_text(json.dumps({"training": [item]}))
    assert pairs_of(tmp_path)[0][0]["t1"] == str(tmp_path / "gone-T1.nii.gz")


def test_a_folder_without_a_datalist_and_a_csv_are_read_as_pairs_does(pairs, tmp_path):
    for name in ("none-T1.nii.gz", "none-T2.nii.gz"):
        shutil.copy(pairs / name, tmp_path)
    (tmp_path / "lonely-T1.nii.gz").write_bytes(b"")
    items, left_out = pairs_of(tmp_path)
    assert [item["subject"] for item in items] == ["none"] and any("lonely" in sentence for sentence in left_out)
    (tmp_path / "list.csv").write_text("subject,t1,t2\na,none-T1.nii.gz,none-T2.nii.gz\n")
    assert [item["subject"] for item in pairs_of(tmp_path / "list.csv")[0]] == ["a"]


@pytest.mark.parametrize(
    ("content", "split", "words"),
    [
        ("{}", None, "holds no list of pairs"),
        ('{"training": [], "test": []}', None, "has no pair in any list"),
        ('{"training": [], "test": []}', "test", "is empty"),
        ('{"training": []}', "best", "has no list 'best'"),
        ("[1", None, "is not readable JSON"),
        ('{"training": [{"subject": "a"}]}', None, "needs the key 't1'"),
    ],
)
def test_a_datalist_without_pairs_is_refused_in_one_sentence(tmp_path, content, split, words):
    (tmp_path / "datalist.json").write_text(content)
    with pytest.raises(BundleError, match=words) as error:
        pairs_of(tmp_path, split)
    assert "\n" not in str(error.value)


def test_what_is_no_source_is_refused(tmp_path):
    (tmp_path / "notes.txt").write_text("")
    for source, split, words in (
        (tmp_path / "notes.txt", None, "is none"),
        (tmp_path / "gone", None, "does not exist"),
        (tmp_path / ("x" * 300), None, "does not exist"),
        (tmp_path, None, "holds no T1/T2 pair"),
        (tmp_path, "test", "--split"),
    ):
        with pytest.raises(BundleError, match=words):
            pairs_of(source, split)
