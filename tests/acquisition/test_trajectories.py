"""The trajectories: spokes a golden angle apart, spirals, and as many grid points as a mask asks for."""

from __future__ import annotations

import numpy as np
import pytest

from bundle.acquisition.trajectories import (
    MARGIN,
    _spokes,
    _spokes_needed,
    first_distinct,
    radial_points,
    spiral_points,
)


def test_radial_mask_follows_spokes_a_golden_angle_apart():
    points = radial_points(201, 201, 4000, start_angle=0.3)
    spokes = points.reshape(-1, 101, 2)  # spoke, radius, side
    rows, columns = np.divmod(spokes, 201)
    angles = np.arctan2(rows[:, -1, 0] - 100, columns[:, -1, 0] - 100)
    turned = np.mod(np.diff(angles), np.pi)
    assert np.allclose(turned, np.deg2rad(111.246), atol=0.02)
    assert np.all(rows[..., 0] + rows[..., 1] == 200) and np.all(columns[..., 0] + columns[..., 1] == 200)


@pytest.mark.parametrize("trajectory", [radial_points, spiral_points])
@pytest.mark.parametrize("size", [(256, 256), (217, 181), (150, 256)])
@pytest.mark.parametrize("acceleration", [1.6, 3, 6, 9, 12])
def test_trajectories_reach_the_count_by_themselves_at_any_angle(trajectory, size, acceleration):
    count = round(size[0] * size[1] / acceleration)
    for angle in np.linspace(0, np.pi, 7):
        assert len(first_distinct(trajectory(*size, count, angle), size[0] * size[1])) >= count


def test_first_distinct_keeps_the_first_of_equal_points_in_order():
    points = np.random.RandomState(0).randint(0, 50, 300)
    assert first_distinct(points, 50).tolist() == list(dict.fromkeys(points.tolist()))


@pytest.mark.parametrize("size", [(48, 64), (33, 20)])
def test_the_fewest_spokes_of_the_steps_tried_are_taken_whose_own_points_suffice(size):
    for count in (round(share * size[0] * size[1]) for share in (0.1, 0.3, 0.5)):
        steps = [4]
        while steps[-1] < 4 * sum(size):
            steps.append(steps[-1] + max(1, steps[-1] // 16))
        own = {number: len(np.unique(_spokes(*size, number, 0.0))) for number in steps[:-1]}
        assert _spokes_needed(*size, count) == min(number for number in own if own[number] >= MARGIN * count)
