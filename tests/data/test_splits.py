"""Every subject is on one side, whatever the sizes; a split holds still, and one that cannot be is refused."""

from __future__ import annotations

from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

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


NAMES = st.sets(st.text(min_size=1, max_size=8), min_size=1, max_size=25)
SEEDS = st.integers(0, 2**31)


@st.composite
def wanted_sizes(draw: st.DrawFn) -> tuple[set[str], dict[str, int]]:
    """Subjects, and sizes of some of the lists that they suffice for."""
    names = draw(NAMES)
    left, wanted = len(names), {}
    for split in draw(st.lists(st.sampled_from(SPLITS), unique=True)):
        wanted[split] = draw(st.integers(0, left))
        left -= wanted[split]
    return names, wanted


@given(wanted_sizes(), SEEDS, st.randoms(use_true_random=False))
def test_every_subject_is_on_one_side_with_all_its_sessions_whatever_sizes_and_seed(drawn, seed, random):
    names, wanted = drawn
    items = [{"subject": name, "session": session, "t1": "1", "t2": "2"} for name in names for session in "ab"]
    lists = split_by_subject(items, wanted, seed=seed)
    assert split_by_subject(random.sample(items, len(items)), wanted, seed=seed) == lists
    sides = [name for group in subjects(lists) for name in group]
    assert len(sides) == len(set(sides)) and sum(map(len, lists.values())) == 2 * len(sides)
    assert all(len(group) == wanted[split] for split, group in zip(SPLITS, subjects(lists)) if split in wanted)
    assert set(sides) == names or len(wanted) == len(SPLITS)


@given(NAMES, st.tuples(*[st.floats(0, 1)] * 3).filter(any), SEEDS)
def test_fractions_of_the_subjects_are_met_to_the_nearest_subject(names, parts, seed):
    wanted = {split: part / sum(parts) for split, part in zip(SPLITS, parts)}
    lists = split_by_subject([{"subject": name, "t1": "1", "t2": "2"} for name in names], wanted, seed=seed)
    counts = [len(group) for group in subjects(lists)]
    assert sum(counts) == len(names)
    # one more or less by rounding, and one more where a list would have been empty
    assert all(abs(count - wanted[split] * len(names)) <= 2 for split, count in zip(SPLITS, counts))


def test_another_seed_is_another_draw():
    assert split_by_subject(people(40), seed=3) != split_by_subject(people(40), seed=4)


def test_a_split_hardly_changes_when_a_subject_is_added():
    before, after = (subjects(split_by_subject(people(count))) for count in (200, 201))
    assert sum(len(old - new) for old, new in zip(before, after)) <= 3


def test_the_papers_577_subjects_give_369_93_115():
    assert sizes(577) == [369, 93, 115]


@pytest.mark.parametrize(
    ("count", "wanted", "expected"),
    [
        (1, {}, [1, 0, 0]),
        (2, {}, [1, 1, 0]),
        (2, {"test": 1}, [1, 0, 1]),
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


@given(SEEDS, st.permutations([313, 185, 79]))
def test_each_list_has_its_share_of_every_group_and_the_size_it_has_without(seed, counts):
    groups = {f"s{group}-{number}": str(group) for group, count in enumerate(counts) for number in range(count)}
    lists = split_by_subject([{"subject": name} for name in groups], seed=seed, groups=groups)
    assert [len(items) for items in lists.values()] == [369, 93, 115]
    for items in lists.values():
        found = Counter(groups[item["subject"]] for item in items)
        assert all(abs(found[str(group)] - count * len(items) / 577) < 2 for group, count in enumerate(counts))


def items_of(*names: str) -> list[dict[str, str]]:
    return [{"subject": name, "session": session, "t1": "1", "t2": "2"} for name in names for session in ("1", "2")]


@given(st.sets(st.text(min_size=1, max_size=8), min_size=2, max_size=12), st.data())
def test_cross_validation_tests_each_subject_once_and_never_trains_on_it(names, data):
    folds = data.draw(st.integers(2, len(names)))
    half = sorted(names)[: len(names) // 2]
    datalist = {"training": items_of(*half), "test": items_of(*names - set(half))}
    parts = [cross_validation(datalist, folds, fold) for fold in range(folds)]
    tested = [{item["subject"] for item in part["test"]} for part in parts]
    assert sorted(name for group in tested for name in group) == sorted(names)
    assert max(map(len, tested)) - min(map(len, tested)) <= 1
    for part, group in zip(parts, tested):
        assert {item["subject"] for item in part["training"]} == names - group
        assert len(part["training"]) + len(part["test"]) == 2 * len(names)
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
