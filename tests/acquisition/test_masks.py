"""The masks: exact counts, a sampled centre, geometry, repeatable draws, and MONAI's convention."""

from __future__ import annotations

import pickle
import timeit
from functools import partial

import numpy as np
import pytest
import torch
from monai.apps.reconstruction.complex_utils import complex_abs
from monai.apps.reconstruction.transforms.array import EquispacedKspaceMask, KspaceMask, RandomKspaceMask
from monai.data.fft_utils import ifftn_centered

from bundle.acquisition.masks import make_mask, sampled_acceleration
from bundle.acquisition.trajectories import first_distinct, radial_points, spiral_points
from bundle.errors import BundleError

LINES, TRAJECTORIES = ["random", "uniform"], ["radial", "spiral"]
EXACT = LINES + TRAJECTORIES
FASTMRI = ["fastmri_random", "fastmri_equispaced"]
SIZES = [(256, 256), (320, 320), (256, 320), (320, 256), (217, 181), (64, 47)]
DEFAULT_FRACTION = {3: 0.08, 6: 0.06, 9: 0.04}  # by acceleration


def draw(pattern: str, acceleration: float, size: tuple[int, int], seed: int = 0) -> np.ndarray:
    return make_mask(pattern, acceleration).set_random_state(seed=seed).sample(*size)


def normalised_radius(height: int, width: int) -> np.ndarray:
    rows, columns = np.mgrid[:height, :width]
    return np.sqrt(((rows - height // 2) / (height / 2)) ** 2 + ((columns - width // 2) / (width / 2)) ** 2)


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("acceleration", [3, 6, 9, 2.5, 7.7])
@pytest.mark.parametrize("pattern", LINES)
def test_line_mask_samples_the_exact_number_of_whole_columns(pattern, acceleration, size):
    mask = draw(pattern, acceleration, size)
    assert mask.shape == size and mask.dtype == bool
    assert np.array_equal(mask, np.broadcast_to(mask[0], size))
    assert mask[0].sum() == round(size[1] / acceleration)


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("acceleration", [3, 6, 9, 2.5, 7.7])
@pytest.mark.parametrize("pattern", TRAJECTORIES)
def test_trajectory_mask_samples_the_exact_number_of_points(pattern, acceleration, size):
    mask = make_mask(pattern, acceleration).set_random_state(seed=0)
    for sampled in (mask.sample(*size) for _ in range(3)):
        assert sampled.shape == size and sampled.dtype == bool
        assert sampled.sum() == round(size[0] * size[1] / acceleration)
        assert abs(sampled_acceleration(sampled) / acceleration - 1) <= 0.005


@pytest.mark.parametrize("pattern", EXACT)
def test_acceleration_barely_above_one_is_exact_and_one_is_the_full_mask(pattern):
    assert draw(pattern, 1.2, (96, 80)).sum() == (round(80 / 1.2) * 96 if pattern in LINES else 6400)
    assert draw(pattern, 1, (96, 81)).all()


@pytest.mark.parametrize("pattern", FASTMRI)
def test_fastmri_masks_are_full_at_acceleration_one_and_not_exact(pattern):
    assert make_mask(pattern, 1).sample(8, 9).all()
    assert not make_mask(pattern, 4).exact and make_mask("random", 4).exact


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("acceleration, fraction", DEFAULT_FRACTION.items())
@pytest.mark.parametrize("pattern", EXACT)
def test_centre_of_the_default_fraction_is_sampled_in_every_draw(pattern, acceleration, fraction, size):
    height, width = size
    if pattern in LINES:
        number = round(width * fraction)
        frequencies = np.round(np.fft.fftshift(np.fft.fftfreq(width)) * width)
        lines = (frequencies >= -(number // 2)) & (frequencies < number - number // 2)
        center = np.broadcast_to(lines, size)
    else:
        center = normalised_radius(height, width) <= fraction
    assert center[height // 2, width // 2]
    for seed in range(5):
        assert draw(pattern, acceleration, size, seed)[center].all()


def test_center_fraction_that_is_given_replaces_the_default():
    lines = make_mask("uniform", 6, center_fraction=0.1).sample(1, 200)[0]
    assert lines[90:110].all() and not lines[88:112].all()


@pytest.mark.parametrize("pattern", EXACT + FASTMRI)
def test_draws_differ_and_a_seed_brings_them_back(pattern):
    mask, again = (make_mask(pattern, 6).set_random_state(seed=7) for _ in range(2))
    draws = [mask.sample(128, 160) for _ in range(6)]
    assert len({sampled.tobytes() for sampled in draws}) >= (3 if pattern == "fastmri_equispaced" else 5)
    assert all(np.array_equal(sampled, again.sample(128, 160)) for sampled in draws)


@pytest.mark.parametrize("pattern", EXACT + FASTMRI)
def test_pickled_mask_continues_with_the_same_draws(pattern):
    mask = make_mask(pattern, 4).set_random_state(seed=3)
    copy = pickle.loads(pickle.dumps(mask))
    assert np.array_equal(mask.sample(64, 64), copy.sample(64, 64))


def test_random_lines_outside_the_centre_are_equally_likely():
    mask = make_mask("random", 4).set_random_state(seed=0)
    rate = np.mean([mask.sample(1, 100)[0] for _ in range(4000)], axis=0)
    outside = np.r_[rate[:46], rate[54:]]
    assert np.allclose(outside, 17 / 92, atol=0.03) and np.all(rate[46:54] == 1)


@pytest.mark.parametrize("acceleration, fraction", DEFAULT_FRACTION.items())
@pytest.mark.parametrize("width", [256, 320, 181])
def test_uniform_lines_are_equidistant_to_within_one_line(width, acceleration, fraction):
    center = round(width * fraction)
    first = width // 2 - center // 2
    for seed in range(20):
        outside = np.delete(draw("uniform", acceleration, (1, width), seed)[0], np.s_[first : first + center])
        lines = np.flatnonzero(outside)
        gaps = np.diff(np.r_[lines, lines[0] + len(outside)])  # k-space is periodic
        assert np.ptp(gaps) <= 1


@pytest.mark.parametrize("pattern", TRAJECTORIES)
@pytest.mark.parametrize("size", [(256, 256), (192, 320)])
def test_trajectories_cover_the_ellipse_in_all_directions_and_leave_the_corners(pattern, size):
    height, width = size
    mask, radius = draw(pattern, 6, size), normalised_radius(height, width)
    assert not mask[radius > 1].any()
    rows, columns = np.mgrid[:height, :width]
    angle = np.arctan2((rows - height // 2) / height, (columns - width // 2) / width)
    sector = ((angle + np.pi) / (2 * np.pi) * 8).astype(int).clip(0, 7)
    ring = (radius > 0.1) & (radius < 0.9)
    share = [mask[ring & (sector == number)].mean() for number in range(8)]
    assert max(share) < 1.5 * min(share)
    assert all(mask[(radius > 0.8) & (sector == number)].any() for number in range(8))


@pytest.mark.parametrize("pattern", TRAJECTORIES)
@pytest.mark.parametrize("acceleration", [3, 6, 9])
def test_trajectories_are_denser_towards_the_centre(pattern, acceleration):
    mask, radius = draw(pattern, acceleration, (256, 256)), normalised_radius(256, 256)
    edges = [0, 0.1, 0.3, 0.5, 0.9]
    density = [mask[(radius >= low) & (radius < high)].mean() for low, high in zip(edges, edges[1:], strict=False)]
    assert density[0] > 0.9 and density == sorted(density, reverse=True) and density[-1] > 0.01


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


@pytest.mark.parametrize("kind", ["complex", "channels"])
@pytest.mark.parametrize("pattern", EXACT + FASTMRI)
def test_call_undersamples_as_monai_does(pattern, kind):
    values = np.random.RandomState(0).standard_normal((2, 3, 32, 40, 2)).astype(np.float32)
    mask = make_mask(pattern, 4)
    assert isinstance(mask, KspaceMask)
    sampled, image = mask(values[..., 0] + 1j * values[..., 1] if kind == "complex" else torch.from_numpy(values))
    assert mask.mask.shape == (1, 1, 32, 40, 1)
    assert np.array_equal(sampled.numpy(), mask.mask.numpy() * values)
    coils = complex_abs(ifftn_centered(sampled, spatial_dims=2, is_complex=True))
    assert torch.allclose(image, coils.square().sum(dim=1).sqrt(), atol=1e-5)


@pytest.mark.parametrize("pattern, monai", list(zip(FASTMRI, [RandomKspaceMask, EquispacedKspaceMask], strict=True)))
def test_fastmri_masks_are_monais_own(pattern, monai):
    ours, theirs = (mask.set_random_state(seed=5) for mask in (make_mask(pattern, 8), monai([0.04], [8])))
    for _ in range(3):
        theirs(np.zeros((1, 16, 128, 2), dtype=np.float32))
        assert np.array_equal(ours.sample(16, 128)[0], theirs.mask.numpy().ravel() > 0)


def test_sampled_acceleration_counts_arrays_and_tensors():
    mask = np.zeros((4, 6), dtype=bool)
    mask[:, :2] = True
    assert sampled_acceleration(mask) == 3 and sampled_acceleration(torch.from_numpy(mask).float()) == 3
    with pytest.raises(BundleError, match="no point"):
        sampled_acceleration(np.zeros((4, 6)))


@pytest.mark.parametrize("pattern", ["poisson", None, ["radial"]])
def test_unknown_pattern_is_refused_with_the_list_of_patterns(pattern):
    with pytest.raises(BundleError, match="random, uniform, radial, spiral, fastmri_random, fastmri_equispaced"):
        make_mask(pattern, 4)


@pytest.mark.parametrize("acceleration", [0.9, 0, -3, float("nan"), float("inf"), "6", None, True, 3j])
def test_impossible_acceleration_is_refused(acceleration):
    with pytest.raises(BundleError, match="at least 1"):
        make_mask("radial", acceleration)


@pytest.mark.parametrize("fraction", [0, 1, -0.1, 8, float("nan"), "0.08"])
def test_impossible_center_fraction_is_refused(fraction):
    with pytest.raises(BundleError, match="between 0 and 1"):
        make_mask("random", 4, fraction)


@pytest.mark.parametrize("pattern", EXACT + FASTMRI)
def test_centre_larger_than_the_acceleration_allows_is_refused_at_construction(pattern):
    with pytest.raises(BundleError, match="acceleration of 8 samples 12.5 % of k-space"):
        make_mask(pattern, 8, 0.5 if pattern in TRAJECTORIES else 0.2)


@pytest.mark.parametrize(
    "pattern, size, numbers",
    [
        ("random", (4, 2), "samples 0 of 2 lines.* takes 1"),
        ("spiral", (1, 2), "samples 0 of 2 points.* takes 1"),
        ("fastmri_equispaced", (4, 10), "samples 1 of 10 lines.* takes 2"),
    ],
)
def test_centre_larger_than_this_size_allows_is_refused_with_the_numbers(pattern, size, numbers):
    with pytest.raises(BundleError, match=numbers):
        make_mask(pattern, 6, 0.166).sample(*size)


def test_real_kspace_without_channels_is_refused():
    with pytest.raises(BundleError, match=r"\(1, 32, 40\)"):
        make_mask("random", 4)(np.zeros((1, 32, 40)))


@pytest.mark.slow
@pytest.mark.parametrize("pattern, limit", [("random", 3e-4), ("uniform", 3e-4), ("radial", 3e-3), ("spiral", 3e-3)])
def test_draw_is_fast_enough_for_a_new_mask_every_slice(pattern, limit):
    mask = make_mask(pattern, 3)
    mask.sample(256, 256)
    assert min(timeit.repeat(partial(mask.sample, 256, 256), number=1, repeat=50)) < limit
