"""A smaller field holds the same part of T1 and T2, lies about the head, and is scanned with fewer lines."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from numpy.lib.stride_tricks import sliding_window_view

from bundle.acquisition import SmallerField
from bundle.errors import BundleError

SIZE = (48, 64)


def slices() -> tuple[torch.Tensor, torch.Tensor]:
    """A head at the left, with a value of its own in each voxel."""
    t2 = torch.arange(SIZE[0] * SIZE[1], dtype=torch.float32).reshape(SIZE)
    t2 = torch.where(torch.arange(SIZE[1]) < 20, 1e4 + t2, t2 / 1e4)
    return -t2, t2


def corner(field: torch.Tensor, image: torch.Tensor) -> tuple[int, ...]:
    """Where the one part of the image that equals the field begins."""
    places = np.argwhere((sliding_window_view(image.numpy(), field.shape) == field.numpy()).all(axis=(2, 3)))
    assert len(places) == 1
    return tuple(map(int, places[0]))


def test_both_slices_are_cut_to_one_part_and_no_voxel_is_changed():
    t1, t2 = slices()
    for seed in range(20):
        shown = SmallerField([32, 16]).set_random_state(seed=seed)(t1, t2)
        assert [field.shape for field in shown] == [(32, 16)] * 2 and all(type(one) is torch.Tensor for one in shown)
        assert corner(shown[0], t1) == corner(shown[1], t2)


def test_fields_lie_anywhere_about_the_head_and_not_in_the_air():
    t1, t2 = slices()
    field = SmallerField([16, 16])
    corners = np.array([corner(field.set_random_state(seed=seed)(t1, t2)[1], t2) for seed in range(100)])
    assert corners[:, 1].max() < 20 - 8 and corners[:, 1].min() == 0
    assert np.ptp(corners[:, 0]) > 24


def test_one_seed_gives_one_field_and_a_field_of_the_slices_size_is_the_slice():
    t1, t2 = slices()
    first, second = (SmallerField([16, 16]).set_random_state(seed=3)(t1, t2)[1] for _ in range(2))
    assert torch.equal(first, second)
    assert torch.equal(SmallerField(SIZE)(t1, t2)[1], t2)


def test_a_slice_of_air_is_cut_too():
    assert SmallerField([16, 16])(torch.zeros(SIZE), torch.zeros(SIZE))[1].shape == (16, 16)


@pytest.mark.parametrize("size", [192, [192], [0, 192], [192, -1], ["a", "b"], [192.0, 192]])
def test_a_size_that_is_none_is_refused(size):
    with pytest.raises(BundleError, match="size of the smaller field is rows and columns, such as .192, 192., not "):
        SmallerField(size)


def test_slices_that_are_smaller_are_refused_with_what_to_do():
    with pytest.raises(BundleError, match="of 64 x 16 cannot be cut from slices of 48 x 64: .* larger --image_size"):
        SmallerField([64, 16])(*slices())
