"""T1 is displaced, deformed or missing as often and as far as is asked for; what is of both images is done to both."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from monai.transforms import Flip, RandFlip, RandSpatialCropSamples
from scipy.ndimage import center_of_mass

from bundle.acquisition import BothImages, ImperfectGuide
from bundle.errors import BundleError

SIZE = (48, 64)


def blob() -> torch.Tensor:
    y, x = np.ogrid[: SIZE[0], : SIZE[1]]
    return torch.from_numpy(np.exp(-((y - 20) ** 2 + (x - 40) ** 2) / 30)).float()


def draws(guide: ImperfectGuide, count: int = 60) -> list[torch.Tensor]:
    t2 = torch.rand(SIZE)
    pairs = [guide.set_random_state(seed=seed)(blob(), t2) for seed in range(count)]
    assert all(torch.equal(second, t2) for _, second in pairs)
    return [first for first, _ in pairs]


def test_as_many_slices_are_missing_and_displaced_as_were_asked_for():
    drawn = draws(ImperfectGuide(displaced=0.5, missing=0.2), 150)
    assert np.mean([not t1.any() for t1 in drawn]) == pytest.approx(0.2, abs=0.08)
    assert np.mean([torch.equal(t1, blob()) for t1 in drawn]) == pytest.approx(0.4, abs=0.1)


def test_shifts_fill_their_range_and_stay_in_it():
    drawn = draws(ImperfectGuide(displaced=1, pixels=3, degrees=0, missing=0))
    shifts = np.array([center_of_mass(t1.numpy()) for t1 in drawn]) - center_of_mass(blob().numpy())
    assert np.abs(shifts).max() < 3.05 and np.ptp(shifts, axis=0).min() > 4.5


def test_a_deformed_t1_is_far_from_where_t2_shows_it_and_no_draw_is_like_another():
    drawn = draws(ImperfectGuide(displaced=0, missing=0, deformed=0.5), 100)
    bent = [t1 for t1 in drawn if not torch.equal(t1, blob())]
    assert len(bent) == pytest.approx(50, abs=12)
    moved = np.array([center_of_mass(t1.numpy()) for t1 in bent if t1.any()]) - center_of_mass(blob().numpy())
    assert np.median(np.linalg.norm(moved, axis=1)) > 5 and np.ptp(moved, axis=0).min() > 16


def test_one_seed_gives_one_draw_and_with_no_share_nothing_changes():
    guide = ImperfectGuide(displaced=1, missing=0)
    first, second = (guide.set_random_state(seed=3)(blob(), blob())[0] for _ in range(2))
    assert torch.equal(first, second) and not torch.equal(first, blob())
    assert all(torch.equal(t1, blob()) for t1 in draws(ImperfectGuide(displaced=0, missing=0), 20))


@pytest.mark.parametrize(
    ("name", "share"), [("missing", 1.5), ("displaced", -0.1), ("missing", "often"), ("deformed", 2)]
)
def test_a_share_that_is_none_is_refused(name, share):
    with pytest.raises(BundleError, match=f"{name} is the share of slices, from 0 to 1, not {share!r}"):
        ImperfectGuide(**{name: share})


def test_both_images_are_flipped_together_as_often_as_was_asked_for():
    both = BothImages(RandFlip(prob=0.5, spatial_axis=0))
    drawn = [both.set_random_state(seed=seed)(blob(), 2 * blob()) for seed in range(60)]
    assert all(torch.equal(2 * t1, t2) for t1, t2 in drawn)
    assert {tuple(t1.argmax(0).tolist()) for t1, _ in drawn} == {
        tuple(image.argmax(0).tolist()) for image in (blob(), blob().flip(0))
    }
    assert np.mean([torch.equal(t1, blob()) for t1, _ in drawn]) == pytest.approx(0.5, abs=0.15)
    assert all(image.is_contiguous() and type(image) is torch.Tensor for pair in drawn for image in pair)


def test_one_seed_flips_alike_whatever_was_drawn_before():
    both = BothImages(RandFlip(prob=0.5, spatial_axis=1))
    once = [both.set_random_state(seed=seed)(blob(), blob())[0] for seed in range(8)]
    again = [both.set_random_state(seed=seed)(blob(), blob())[0] for seed in reversed(range(8))]
    assert all(torch.equal(first, second) for first, second in zip(once, reversed(again)))


def test_what_is_not_random_or_makes_other_images_of_both_is_refused():
    with pytest.raises(BundleError, match="a random transform of MONAI's, such as RandFlip, not <monai"):
        BothImages(Flip(spatial_axis=0))
    cut = BothImages(RandSpatialCropSamples(roi_size=(8, 8), num_samples=3, random_size=False))
    with pytest.raises(BundleError, match="RandSpatialCropSamples made 3 images of T1 and T2"):
        cut.set_random_state(seed=0)(blob(), blob())
