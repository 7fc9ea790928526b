"""A simulated person has the contrasts of T1w and T2w images of the brain."""

from __future__ import annotations

import sys

import numpy as np
import pytest

from bundle.demo import tissues
from bundle.demo.person import individual_head, individual_tissues
from bundle.demo.tissues import template_head
from bundle.errors import BundleError

WHITE, GREY, FLUID = range(3)


@pytest.mark.slow
def test_fluid_is_brightest_in_t2_and_white_matter_in_t1():
    template = tissues.template_head()[:, ::2, ::2, ::2]  # a head of half the size, in an eighth of the time
    person = individual_head(template, np.random.default_rng(5))
    fractions = individual_tissues(template, np.random.default_rng(5))
    t1, t2 = ([volume[fractions[tissue] > 0.97].mean() for tissue in (WHITE, GREY, FLUID)] for volume in person[:2])
    assert t2[FLUID] > 1.5 * t2[GREY] and t2[GREY] > 1.15 * t2[WHITE]
    assert t1[WHITE] > 1.15 * t1[GREY] and t1[GREY] > 1.5 * t1[FLUID]
    # no tissue is of one value
    assert person.t2[fractions[WHITE] > 0.97].std() > 0.04 * t2[WHITE]


def test_where_nilearn_is_missing_one_sentence_tells_how_to_install_it(monkeypatch):
    monkeypatch.setitem(sys.modules, "nilearn", None)
    with pytest.raises(BundleError, match=r"python -m pip install '\.\[demo\]' .* or give data of your own") as error:
        template_head()
    assert "\n" not in str(error.value)
