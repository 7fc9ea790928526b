"""Undersampling, zero padding and partial Fourier are told apart, in the data and not by what a header says."""

from __future__ import annotations

import numpy as np
import pytest

from bundle.kspace.sampling import find_sampling


def magnitude_with(columns, width: int = 396, height: int = 20, rows=slice(None)) -> np.ndarray:
    magnitude = np.zeros((height, width))
    magnitude[rows, columns] = 1
    magnitude[height // 2, width // 2] = 9
    return magnitude


def every(step: int, first: int, last: int, centre: int, width: int = 396) -> list[int]:
    block = range(width // 2 - centre // 2, width // 2 + centre // 2)
    return sorted({*range(first, last + 1, step), *block})


def test_the_centre_counts_in_the_effective_acceleration_as_in_a_public_sets_4x_of_123_lines_of_396():
    lines = every(4, 0, 395, 32)
    found, _ = find_sampling(magnitude_with(lines))
    assert (len(lines), found.columns.acquired, found.columns.step, found.nominal) == (123, 123, 4, 4)
    assert found.effective == pytest.approx(396 / 123)
    assert found.columns.padded == 0 and not found.columns.is_partial and not found.is_full


@pytest.mark.parametrize("limits", [None, (30, 225), (0, 256)])
def test_zero_padding_is_no_undersampling_whether_the_header_tells_it_or_not(limits):
    found, remarks = find_sampling(magnitude_with(range(30, 225), width=256), limits)
    assert found.is_full and found.effective == 1 and found.nominal == 1 and remarks == []
    assert (found.columns.padded, found.columns.acquired) == (61, 195)


def test_padding_beside_undersampling_is_not_counted():
    found, _ = find_sampling(magnitude_with(every(4, 40, 355, 24)), (39, 358))
    assert (found.columns.first, found.columns.last) == (39, 357)
    assert found.effective == pytest.approx(319 / found.columns.acquired) and found.columns.step == 4
    unread, _ = find_sampling(magnitude_with(every(4, 40, 355, 24)))
    assert abs(unread.effective / found.effective - 1) < 0.02


@pytest.mark.parametrize(("columns", "padded"), [(range(50, 256), 0), (range(60, 246), 20)])
def test_partial_fourier_is_neither_padding_nor_undersampling(columns, padded):
    found, _ = find_sampling(magnitude_with(columns, width=256))
    assert found.columns.is_partial and found.is_full and found.effective == 1
    assert found.columns.padded == padded and found.columns.whole == 256 - padded


def test_an_asymmetric_echo_is_partial_along_the_rows_alone():
    found, _ = find_sampling(magnitude_with(slice(None), width=30, height=64, rows=slice(12, 64)))
    assert found.rows.is_partial and not found.columns.is_partial and found.is_full


@pytest.mark.parametrize("limits", [(180, 200), (400, 500), (-20, -1)])
def test_limits_that_would_pad_away_what_holds_data_are_told_and_not_taken(limits):
    found, (remark,) = find_sampling(magnitude_with(slice(None)), limits)
    assert found.is_full and found.columns.acquired == 396
    assert "outside hold data; the data are taken, and nothing is blanked" in remark


def test_the_peak_and_the_fully_sampled_block_are_found_off_the_middle():
    magnitude = magnitude_with(slice(None), width=256, height=256)
    magnitude[136, 125] = 20
    found, _ = find_sampling(magnitude)
    assert found.peak == (136, 125) and found.block == (slice(0, 256), slice(0, 256))


def test_points_have_no_lines_and_a_block_in_the_middle():
    magnitude = (np.indices((40, 30)).sum(axis=0) % 3 == 0).astype(float)
    magnitude[12:28, 9:21] = 1
    found, _ = find_sampling(magnitude)
    assert found.rows is None and found.columns is None and found.nominal is None
    assert found.block == (slice(12, 28), slice(9, 21))
    assert found.effective == pytest.approx(40 * 30 / (magnitude > 0).sum())


def test_random_lines_have_no_step():
    lines = sorted({*np.random.RandomState(0).choice(396, 90, replace=False), *range(180, 216)})
    assert find_sampling(magnitude_with(lines))[0].nominal is None
    assert find_sampling(magnitude_with(lines), nominal=4.0)[0].nominal == 4
