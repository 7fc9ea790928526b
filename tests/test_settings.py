"""Words of the command line mean what YAML means by them."""

from __future__ import annotations

import pytest

from bundle.errors import BundleError
from bundle.settings import flag, plain


@pytest.mark.parametrize(
    ("word", "value"), [("true", True), ("False", False), ("null", None), ("radial", "radial"), (6, 6)]
)
def test_yamls_words_are_read_and_all_else_is_kept(word, value):
    assert plain(word) is value or plain(word) == value


@pytest.mark.parametrize(("word", "value"), [("false", False), ("True", True), (True, True), (0, False)])
def test_a_flag_given_as_text_is_on_or_off(word, value):
    assert flag("overwrite", word) is value


def test_a_flag_that_is_neither_is_refused_by_its_name():
    with pytest.raises(BundleError, match="overwrite is true or false, not 'yes please'"):
        flag("overwrite", "yes please")
