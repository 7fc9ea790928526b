"""Mutual information against its analytic values."""

from __future__ import annotations

import numpy as np
import pytest

from bundle.data.mutual_information import information_at, likeness_at, mutual_information, rounded_down
from tests.data.analytic_head import T2, T2_GRID, T2_SHAPE, head, moved


def test_mutual_information_follows_its_analytic_values():
    coin, other = np.arange(4000) % 2, np.arange(4000) // 2 % 2
    assert mutual_information(coin, coin) == pytest.approx(np.log(2))
    assert mutual_information(coin, 3 - 2 * coin) == pytest.approx(np.log(2))
    assert mutual_information(coin, other) == pytest.approx(0, abs=1e-12)
    first, second = np.random.default_rng(0).multivariate_normal([0, 0], [[1, 0.8], [0.8, 1]], 400_000).T
    assert mutual_information(first, second) == pytest.approx(-0.5 * np.log(1 - 0.8**2), abs=0.02)


def test_information_of_two_images_is_greatest_where_they_show_the_same_anatomy():
    truth = moved((0, 4, 0), (3, -2, 1))
    t1 = head("t1", T2_GRID, T2_SHAPE, truth)
    true, *others = (information_at(T2, t1, truth @ moved(shift=(shift, 0, 0))) for shift in (0, -1, 1, 3, 6))
    assert true > max(others[:2]) > others[2] > others[3]


@pytest.mark.parametrize(
    ("likeness", "shown"),
    [(1.2499, "1.24"), (1.25 - 1e-12, "1.24"), (1.25, "1.25"), (1.15, "1.15"), (np.float64(0), "0.00")],
)
def test_a_likeness_below_a_limit_is_not_shown_as_the_limit(likeness, shown):
    assert rounded_down(likeness) == shown


def test_likeness_is_high_for_one_anatomy_about_one_for_displaced_images_and_0_without_overlap():
    t1 = head("t1", T2_GRID, T2_SHAPE)
    assert likeness_at(T2, t1, np.eye(4)) > 1.5
    assert likeness_at(T2, t1, moved(shift=(15, 0, 0))) < 1.15
    assert likeness_at(T2, t1, moved(shift=(500, 0, 0))) == 0
