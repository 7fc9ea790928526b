"""Words of the command line mean what YAML means by them."""

from __future__ import annotations

import argparse

import pytest

from bundle.errors import BundleError
from bundle.settings import checked_range, flag, plain, whole_number


@pytest.mark.parametrize(
    ("word", "value"), [("true", True), ("False", False), ("null", None), ("radial", "radial"), (6, 6)]
)
def test_yamls_words_are_read_and_all_else_is_kept(word, value):
    assert plain(word) == value and type(plain(word)) is type(value)


@pytest.mark.parametrize(("word", "value"), [("false", False), ("True", True), (True, True), (0, False)])
def test_a_flag_given_as_text_is_on_or_off(word, value):
    assert flag("overwrite", word) is value


def test_a_flag_that_is_neither_is_refused_by_its_name():
    with pytest.raises(BundleError, match="overwrite is true or false, not 'yes please'"):
        flag("overwrite", "yes please")


@pytest.mark.parametrize("limits", [[3, 9], (0, 0.1), [2, 2]])
def test_a_range_is_two_numbers_the_lower_one_first(limits):
    assert checked_range("level", limits) == tuple(map(float, limits))


@pytest.mark.parametrize("limits", [3, "39", [3], [1, 2, 3], [9, 3], [3, None], None, [3, float("inf")], [-1, 3]])
def test_anything_else_is_no_range(limits):
    with pytest.raises(BundleError, match="A varied level is drawn between two numbers, .lowest, highest.; not"):
        checked_range("level", limits)


@pytest.mark.parametrize("text", ["0", "-1", "two", "1.5", "²", ""])
def test_a_count_is_a_whole_number_from_1_on(text):
    assert whole_number("12") == 12 and whole_number("0", least=0) == 0
    with pytest.raises(argparse.ArgumentTypeError, match="is no whole number from 1 on"):
        whole_number(text)
