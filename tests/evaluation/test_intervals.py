"""An interval is what an independent bootstrap gives, and none is made of what has none."""

from __future__ import annotations

import numpy as np
import pytest

from bundle.evaluation.intervals import interval


def test_interval_is_that_of_an_independent_bootstrap_and_of_equal_values_their_value():
    values = np.random.default_rng(5).normal(30, 2, 20)
    means = np.random.default_rng(6).choice(values, (40_000, 20)).mean(axis=1)
    np.testing.assert_allclose(interval(values), np.percentile(means, [2.5, 97.5]), atol=0.05)
    assert interval([0.9] * 4) == pytest.approx((0.9, 0.9))


@pytest.mark.parametrize("values", [[], [0.9], [0.9, np.nan], [0.9, np.inf]])
def test_one_value_and_values_that_are_not_finite_have_none(values):
    assert np.isnan(interval(values)).all()
