"""Spots are put into T1, T2 or both, as many and as bright as is asked for, and nowhere but in the head."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from scipy import ndimage

from bundle.acquisition import InsertedLesions
from bundle.errors import BundleError

SIZE = (96, 128)


def head() -> torch.Tensor:
    y, x = np.ogrid[: SIZE[0], : SIZE[1]]
    return torch.from_numpy(2.0 * (np.hypot((y - 48) / 36, (x - 64) / 48) < 1)).float()


def changes(lesions: InsertedLesions, count: int = 60) -> np.ndarray:
    """What was added to T1 and to T2, over the tissue, ``(draw, 2, h, w)``; T1 is thrice as bright."""
    drawn = [lesions.set_random_state(seed=seed)(3 * head(), head()) for seed in range(count)]
    return np.stack([[(t1 - 3 * head()) / 6, (t2 - head()) / 2] for t1, t2 in drawn])


def test_as_many_slices_as_asked_for_get_spots_and_all_three_kinds_are_as_frequent():
    added = changes(InsertedLesions(slices=0.6, count=(1, 1), t1_contrast=(0.5, 0.5), t2_contrast=(0.5, 0.5)), 200)
    shown = np.abs(added).max(axis=(2, 3)) > 0.1
    assert shown.any(axis=1).mean() == pytest.approx(0.6, abs=0.1)
    kinds = [(shown == kind).all(axis=1).mean() for kind in ([True, True], [True, False], [False, True])]
    assert kinds == pytest.approx([0.2] * 3, abs=0.08)


def test_a_spot_has_the_contrast_and_the_size_that_were_asked_for():
    lesions = InsertedLesions(
        slices=1, count=(1, 1), diameter=(10, 10), t1_contrast=(-0.4, -0.4), t2_contrast=(0.8, 0.8)
    )
    t1, t2 = np.moveaxis(changes(lesions), 1, 0)
    assert t2.max() == pytest.approx(0.8, abs=0.01) and t1.min() == pytest.approx(-0.4, abs=0.01)
    areas = (t2 > 0.4).sum(axis=(1, 2))
    assert np.percentile(areas, 90) == pytest.approx(np.pi * 25, rel=0.15)  # some are cut by the head's edge


def test_the_number_of_spots_is_within_its_range_and_they_lie_in_the_head():
    added = changes(InsertedLesions(slices=1, count=(2, 3), diameter=(3, 4), t1_contrast=(1, 1), t2_contrast=(1, 1)))
    either = np.abs(added).max(axis=1)
    counts = [ndimage.label(image > 0.3)[1] for image in either]
    assert 2 in counts and 3 in counts and max(counts) <= 3
    inside = ndimage.binary_dilation(head().numpy() > 0, iterations=6)
    assert not either[:, ~inside].max() > 0.1


def test_one_seed_gives_one_draw_and_the_given_images_stay_as_they_are():
    lesions, image = InsertedLesions(slices=1), head()
    first, second = (lesions.set_random_state(seed=5)(image, image) for _ in range(2))
    assert all(torch.equal(one, other) for one, other in zip(first, second))
    assert torch.equal(image, head()) and not torch.equal(first[1], first[0])


def test_a_dark_spot_across_the_edge_of_the_head_makes_no_voxel_negative():
    dark = InsertedLesions(slices=1, diameter=(14, 14), t1_contrast=(-0.5, -0.5), t2_contrast=(-0.5, -0.5))
    images = [image for seed in range(20) for image in dark.set_random_state(seed=seed)(head(), head())]
    assert min(image.min() for image in images) == 0


def test_an_empty_slice_stays_empty():
    empty = torch.zeros(SIZE)
    assert not any(image.any() for image in InsertedLesions(slices=1)(empty, empty))


@pytest.mark.parametrize(
    ("settings", "sentence"),
    [
        ({"slices": 2}, "slices is the share of slices with lesions, from 0 to 1, not 2"),
        ({"diameter": (9, 3)}, "diameter of the lesions is a pair, the least and the greatest, above 0, not"),
        ({"count": (0, 3)}, "count of the lesions is a pair, the least and the greatest, above 0, not"),
        ({"count": (1.5, 3)}, "count of the lesions is a pair"),
        ({"count": 3}, "count of the lesions is a pair"),
        ({"t2_contrast": (0.5,)}, "t2_contrast of the lesions is a pair"),
    ],
)
def test_a_range_that_is_none_is_refused(settings, sentence):
    with pytest.raises(BundleError, match=sentence):
        InsertedLesions(**settings)
