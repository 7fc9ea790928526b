"""A simulated person has the contrasts of T1w and T2w images of the brain."""

from __future__ import annotations

import sys

import numpy as np
import pytest

from bundle.demo.tissues import template_head
from bundle.errors import BundleError
from tests.demo.people import people

WHITE, GREY, FLUID = range(3)


@pytest.mark.slow
@pytest.mark.needs(people)
def test_fluid_is_brightest_in_t2_and_white_matter_in_t1():
    half = dict(np.load(people() / "half.npz"))
    tissues = half["fractions"] > 0.97
    t1, t2 = ([half[name][tissues[tissue]].mean() for tissue in (WHITE, GREY, FLUID)] for name in ("t1", "t2"))
    assert t2[FLUID] > 1.5 * t2[GREY] and t2[GREY] > 1.15 * t2[WHITE]
    assert t1[WHITE] > 1.15 * t1[GREY] and t1[GREY] > 1.5 * t1[FLUID]
    # no tissue is of one value
    assert half["t2"][tissues[WHITE]].std() > 0.04 * t2[WHITE]


def test_where_nilearn_is_missing_one_sentence_tells_how_to_install_it(monkeypatch):
    monkeypatch.setitem(sys.modules, "nilearn", None)
    with pytest.raises(BundleError, match=r"python -m pip install '\.\[demo\]' .* or give data of your own") as error:
        template_head()
    assert "\n" not in str(error.value)
