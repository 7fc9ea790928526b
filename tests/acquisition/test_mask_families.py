"""The mask families: exact counts, a sampled centre, geometry, repeatable draws, and MONAI's convention."""

from __future__ import annotations

import pickle
import timeit
from functools import partial

import numpy as np
import pytest
import torch
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from monai.apps.reconstruction.complex_utils import complex_abs
from monai.apps.reconstruction.transforms.array import KspaceMask
from monai.data.fft_utils import ifftn_centered

from bundle.acquisition.masks import make_mask, sampled_acceleration
from bundle.errors import BundleError

LINES, TRAJECTORIES = ["random", "uniform"], ["radial", "spiral"]
EXACT = LINES + TRAJECTORIES
FASTMRI = ["fastmri_random", "fastmri_equispaced"]
DEFAULT_FRACTION = {3: 0.08, 6: 0.06, 9: 0.04}  # by acceleration
MASKS = {
    "pattern": st.sampled_from(EXACT),
    "acceleration": st.floats(1, 12),
    "fraction": st.floats(0.01, 0.6),
    "height": st.integers(1, 80),
    "width": st.integers(1, 80),
}


def draw(pattern: str, acceleration: float, size: tuple[int, int], seed: int = 0) -> np.ndarray:
    return make_mask(pattern, acceleration).set_random_state(seed=seed).sample(*size)


def normalised_radius(height: int, width: int) -> np.ndarray:
    rows, columns = np.mgrid[:height, :width]
    return np.hypot((rows - height // 2) / (height / 2), (columns - width // 2) / (width / 2))


def centre_of(pattern: str, fraction: float, height: int, width: int) -> np.ndarray:
    """Where the fully sampled centre lies, bool ``(h, w)``."""
    if pattern in TRAJECTORIES:
        return normalised_radius(height, width) <= fraction
    number = max(1, round(width * fraction))
    frequencies = np.round(np.fft.fftshift(np.fft.fftfreq(width)) * width)
    lines = (frequencies >= -(number // 2)) & (frequencies < number - number // 2)
    return np.broadcast_to(lines, (height, width))


def expected_count(pattern: str, acceleration: float, height: int, width: int) -> int:
    return round(width / acceleration) * height if pattern in LINES else round(height * width / acceleration)


def can_exist(pattern: str, acceleration: float, fraction: float, height: int, width: int) -> bool:
    """Whether the centre leaves room for the acceleration, in general and at this size."""
    share = fraction if pattern in LINES else np.pi / 4 * fraction**2
    centre = np.count_nonzero(centre_of(pattern, fraction, height, width))
    room = centre <= expected_count(pattern, acceleration, height, width)
    return acceleration == 1 or (100 * share <= 100 / acceleration and room)


@settings(max_examples=150)
@given(**MASKS, seed=st.integers(0, 2**32 - 1))
def test_every_mask_that_can_exist_is_exact_holds_its_centre_and_comes_back_by_its_seed(
    pattern, acceleration, fraction, height, width, seed
):
    assume(can_exist(pattern, acceleration, fraction, height, width))
    mask, again = (make_mask(pattern, acceleration, fraction).set_random_state(seed=seed) for _ in range(2))
    sampled = mask.sample(height, width)
    assert sampled.shape == (height, width) and sampled.dtype == bool
    assert sampled.sum() == expected_count(pattern, acceleration, height, width)
    assert sampled[centre_of(pattern, fraction, height, width)].all()
    assert pattern in TRAJECTORIES or np.array_equal(sampled, np.broadcast_to(sampled[0], sampled.shape))
    assert np.array_equal(sampled, again.sample(height, width))
    assert np.array_equal(mask.sample(height, width), again.sample(height, width))


@given(**MASKS)
def test_every_mask_that_cannot_exist_is_refused(pattern, acceleration, fraction, height, width):
    assume(not can_exist(pattern, acceleration, fraction, height, width))
    with pytest.raises(BundleError, match="the centre of center_fraction .* alone takes .*: lower one of the two"):
        make_mask(pattern, acceleration, fraction).sample(height, width)


@pytest.mark.parametrize("size", [(256, 256), (320, 256), (217, 181)])
@pytest.mark.parametrize(("acceleration", "fraction"), DEFAULT_FRACTION.items())
@pytest.mark.parametrize("pattern", EXACT)
def test_masks_of_the_papers_accelerations_are_exact_and_hold_the_default_centre(pattern, acceleration, fraction, size):
    for sampled in (draw(pattern, acceleration, size, seed) for seed in range(3)):
        assert sampled.sum() == expected_count(pattern, acceleration, *size)
        assert pattern in LINES or abs(sampled_acceleration(sampled) / acceleration - 1) <= 0.005
        assert sampled[centre_of(pattern, fraction, *size)].all() and sampled[size[0] // 2, size[1] // 2]


@pytest.mark.parametrize("pattern", EXACT)
def test_acceleration_barely_above_one_is_exact(pattern):
    assert draw(pattern, 1.2, (96, 80)).sum() == expected_count(pattern, 1.2, 96, 80)


@pytest.mark.parametrize("pattern", EXACT + FASTMRI)
def test_acceleration_one_is_the_full_mask(pattern):
    assert draw(pattern, 1, (96, 81)).all()


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


@pytest.mark.benchmark
@pytest.mark.parametrize("pattern, limit", [("random", 3e-4), ("uniform", 3e-4), ("radial", 3e-3), ("spiral", 3e-3)])
def test_draw_is_fast_enough_for_a_new_mask_every_slice(pattern, limit):
    mask = make_mask(pattern, 3)
    mask.sample(256, 256)
    assert min(timeit.repeat(partial(mask.sample, 256, 256), number=1, repeat=50)) < limit
