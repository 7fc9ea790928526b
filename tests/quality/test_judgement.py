"""The order of suspicion, the limits, and what a cohort of ten adds."""

from __future__ import annotations

import pytest

from bundle.data.alignment import LEAST_LIKENESS
from bundle.quality.judgement import FEWEST, RULES, judge, rules_for

GOOD = {"likeness_before": 1.5, "likeness_after": 2.0, "unlike_mirror": 2.0, "moved_mm": 1.0}


def pair(name: str, **values: float) -> dict:
    return {"name": name, **GOOD, **values}


def test_the_most_suspect_pair_comes_first_and_failed_ones_before_all():
    records = [
        pair("c"),
        pair("b", likeness_after=1.3),
        {"name": "a", "failed": "a is gone."},
        pair("d", unlike_mirror=0.5),
    ]
    judged = judge(records)
    assert [record["name"] for record in judged] == ["a", "d", "b", "c"]
    assert judged[0]["reasons"] == ["a is gone."] and judged[1]["reasons"] and not judged[2]["reasons"]


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.key)
def test_each_limit_alone_flags_a_pair_and_at_the_limit_suspicion_is_1(rule):
    key = "likeness_after" if rule.key == "likeness" else rule.key
    beyond, at, within = (judge([pair("x", **{key: rule.limit * factor})])[0] for factor in (0.99, 1.0, 1.01))
    assert beyond["reasons"] == [rule.reason] and within["reasons"] == []
    assert at["suspicion"] == pytest.approx(1)


def test_the_likeness_has_the_limit_by_which_evaluations_refuse_pairs():
    assert RULES[0].key == "likeness" and RULES[0].limit == LEAST_LIKENESS


def test_with_trusted_headers_the_likeness_there_counts_and_how_far_registration_would_move():
    assert judge([pair("x", likeness_before=1.1)])[0]["reasons"] == []
    assert len(judge([pair("x", likeness_before=1.1, moved_mm=20.0)], trust_headers=True)[0]["reasons"]) == 2


def test_of_ten_pairs_one_that_lies_far_below_the_others_is_flagged_and_of_nine_it_is_not():
    spread = [pair(f"{number:02d}", likeness_after=2 + number / 40) for number in range(FEWEST - 1)]
    odd = pair("odd", likeness_after=1.4)
    assert [record["name"] for record in judge([*spread, odd]) if record["reasons"]] == ["odd"]
    assert not any(record["reasons"] for record in judge([*spread[1:], odd]))


def test_pairs_of_equal_likeness_are_no_outliers_of_each_other():
    records = [pair(f"{number}", likeness_after=2 - 0.02 * (number == 3)) for number in range(FEWEST)]
    assert not any(record["reasons"] for record in judge(records))
    assert judge([]) == [] and len(rules_for(FEWEST, True)) == len(rules_for(0, False)) + 2
