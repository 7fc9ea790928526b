"""A split keeps subjects whole and holds still; a datalist that cannot be right is refused in one sentence."""

from __future__ import annotations

import json
import random

import pytest

from bundle.data.datalist import read_datalist, select, volume_name, write_datalist
from bundle.data.splits import SPLITS, cross_validation, split_by_subject
from bundle.errors import BundleError


def people(count: int) -> list[dict[str, str]]:
    """Every third subject has two sessions."""
    return [
        {"subject": f"s{number:03d}", "session": f"ses-{session}", "t1": "1.nii", "t2": "2.nii"}
        for number in range(count)
        for session in range(2 if number % 3 == 0 else 1)
    ]


def subjects(lists: dict[str, list[dict[str, str]]]) -> list[set[str]]:
    return [{item["subject"] for item in lists[split]} for split in SPLITS]


def sizes(count: int, **wanted: int | float) -> list[int]:
    return [len(names) for names in subjects(split_by_subject(people(count), wanted))]


def test_both_sessions_of_a_subject_are_on_one_side():
    lists = split_by_subject(people(30))
    training, validation, test = subjects(lists)
    assert not training & validation and not training & test and not validation & test
    assert sum(map(len, lists.values())) == len(people(30))


def test_a_split_depends_on_the_seed_and_not_on_the_order():
    items = people(40)
    shuffled = random.Random(1).sample(items, len(items))
    assert split_by_subject(items, seed=3) == split_by_subject(shuffled, seed=3)
    assert split_by_subject(items, seed=3) != split_by_subject(items, seed=4)


def test_a_split_hardly_changes_when_a_subject_is_added():
    before, after = (subjects(split_by_subject(people(count))) for count in (200, 201))
    assert sum(len(old - new) for old, new in zip(before, after)) <= 3


def test_the_papers_577_subjects_give_369_93_115():
    assert sizes(577) == [369, 93, 115]


@pytest.mark.parametrize(
    ("count", "wanted", "expected"),
    [
        (3, {}, [1, 1, 1]),
        (4, {}, [2, 1, 1]),
        (5, {}, [3, 1, 1]),
        (8, {}, [5, 1, 2]),
        (10, {"training": 0.8, "validation": 0.1, "test": 0.1}, [8, 1, 1]),
        (10, {"training": 0.9, "validation": 0.05, "test": 0.05}, [8, 1, 1]),
        (10, {"training": 0.5, "validation": 0.5, "test": 0.0}, [5, 5, 0]),
        (10, {"training": 3, "validation": 2, "test": 1}, [3, 2, 1]),
        (10, {"test": 4}, [5, 1, 4]),
        (10, {"training": 1.0, "validation": 0, "test": 0}, [10, 0, 0]),
    ],
)
def test_counts_and_fractions_of_subjects_are_obeyed(count, wanted, expected):
    assert sizes(count, **wanted) == expected


@pytest.mark.parametrize("wanted", [{"training": 11}, {"training": 0.7, "validation": 0.7}, {"test": -1}])
def test_a_split_of_more_subjects_than_there_are_is_refused(wanted):
    with pytest.raises(BundleError, match="asks for"):
        sizes(10, **wanted)


def test_a_subject_named_for_two_lists_is_refused():
    with pytest.raises(BundleError, match="both training and test"):
        split_by_subject(people(3), named={"training": {"s000"}, "test": {"s000"}})


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
    (tmp_path / "1.nii").touch()
    item = {"subject": "a", "t1": str(tmp_path / "1.nii"), "t2": str(tmp_path / "1.nii")}
    write_datalist({"training": [item], "test": []}, tmp_path / "datalist.json")
    assert read_datalist(tmp_path) == {"training": [item], "test": []}
    assert not list(tmp_path.glob(".datalist*"))


def test_an_unknown_or_empty_list_is_refused():
    with pytest.raises(BundleError, match="no list 'tset'"):
        select({"training": people(1)}, "tset")
    with pytest.raises(BundleError, match="'test' of the datalist is empty"):
        select({"training": people(1), "test": []}, "test")
    assert select({"test": people(1)}, "test") == people(1)


A = {"subject": "a", "t1": "1.nii", "t2": "1.nii"}


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ("{", "not readable JSON"),
        ([A], "not a list"),
        ({"name": "x"}, "no list of pairs"),
        ({"training": ["a"]}, r"training\[0\] must be an object"),
        ({"training": [{"subject": "a", "t1": "1.nii"}]}, "needs the key 't2'"),
        ({"training": [{**A, "subject": 3}]}, "needs the key 'subject'"),
        ({"training": [{**A, "t1": "gone.nii"}]}, "gone.nii, which does not exist"),
        ({"training": [A], "test": [A]}, "both 'training' and 'test'"),
        ({"training": [A, A]}, "'a' twice"),
    ],
)
def test_a_datalist_that_cannot_be_right_is_refused(tmp_path, content, words):
    (tmp_path / "1.nii").touch()
    (tmp_path / "datalist.json").write_text(content if isinstance(content, str) else json.dumps(content))
    with pytest.raises(BundleError, match=words) as error:
        read_datalist(tmp_path)
    assert "\n" not in str(error.value)


def test_a_missing_folder_or_datalist_is_refused_with_the_command_that_makes_one(tmp_path):
    with pytest.raises(BundleError, match="does not exist"):
        read_datalist(tmp_path / "gone")
    with pytest.raises(BundleError, match="python -m bundle pairs"):
        read_datalist(tmp_path)


def items_of(*names: str) -> list[dict[str, str]]:
    return [{"subject": name, "session": session, "t1": "1", "t2": "2"} for name in names for session in ("1", "2")]


@pytest.mark.parametrize("folds", [2, 3, 5])
def test_cross_validation_tests_each_subject_once_and_never_trains_on_it(folds):
    datalist = {"training": items_of("a", "b", "c"), "test": items_of("d", "e")}
    parts = [cross_validation(datalist, folds, fold) for fold in range(folds)]
    tested = [{item["subject"] for item in part["test"]} for part in parts]
    assert sorted(name for names in tested for name in names) == ["a", "b", "c", "d", "e"]
    for part, names in zip(parts, tested):
        assert {item["subject"] for item in part["training"]} == set("abcde") - names
        assert len(part["training"]) + len(part["test"]) == 10
        assert part["validation"][0] in part["training"]


def test_the_folds_do_not_depend_on_the_order_or_the_lists():
    first = cross_validation({"training": items_of("a", "b", "c", "d")}, 4, 1)
    second = cross_validation({"training": items_of("d", "b"), "validation": items_of("c", "a")}, 4, 1)
    assert first == second


@pytest.mark.parametrize(
    ("folds", "fold", "sentence"),
    [(1, 0, "from 2 to the number of subjects, 2"), (3, 0, "not 3"), (2, 2, "the last 1; there is no fold 2")],
)
def test_impossible_folds_are_refused(folds, fold, sentence):
    with pytest.raises(BundleError, match=sentence):
        cross_validation({"training": items_of("a", "b")}, folds, fold)
