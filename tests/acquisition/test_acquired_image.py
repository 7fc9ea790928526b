"""T1 is registered to what the network is given: the zero-filled image of the very scan, on T2's own grid."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from monai.data import MetaTensor
from monai.data.utils import pickle_hashing

from bundle.acquisition import AcquiredImaged, Acquisition, KspaceNoise, VolumeDataset, make_mask
from bundle.data import Geometry, Place, VolumeToSlicesd, slices_to_volume
from tests.nifti_pairs import T2_AFFINE, T2_SHAPE, head


@pytest.fixture
def item() -> dict:
    volume = MetaTensor(torch.from_numpy(head(T2_AFFINE, T2_SHAPE, "t2"))[None], affine=torch.from_numpy(T2_AFFINE))
    return {"subject": "a", "session": "ses-1", "t2": volume}


def acquisition() -> Acquisition:
    return Acquisition(make_mask("random", 4), KspaceNoise(0.1))


class Volume:
    """What a data set wants of a prepared volume."""

    def __init__(self, t2: torch.Tensor, name: str) -> None:
        self.t2, self.name, self.alignment = t2, name, {}
        self.place = Place(Geometry.of(np.eye(4), t2.shape, None), name, "t2.nii")

    def slices(self) -> tuple[torch.Tensor, torch.Tensor]:
        return self.t2, self.t2


def test_its_samples_are_those_that_the_network_is_given(item):
    acquired = AcquiredImaged(acquisition(), image_size=None, seed=3)(item)
    sliced = VolumeToSlicesd(("t2",), None)(item)
    shown = VolumeDataset([Volume(sliced["t2"], "a_ses-1")], acquisition(), seed=3)[0]["zero_filled"]
    volume = slices_to_volume(shown[0].permute(2, 0, 1), sliced["geometry"])
    torch.testing.assert_close(acquired["acquired"].as_tensor()[0], volume)


def test_it_lies_where_t2_does_and_t2_stays_as_it_was(item):
    before = item["t2"].clone()
    acquired = AcquiredImaged(acquisition(), image_size=16)(item)["acquired"]
    assert acquired.shape == before.shape and torch.equal(item["t2"], before)
    np.testing.assert_array_equal(acquired.affine, before.affine)


def test_another_seed_and_another_name_are_another_scan(item):
    first = AcquiredImaged(acquisition(), None)(item)["acquired"]
    assert torch.equal(first, AcquiredImaged(acquisition(), None)(item)["acquired"])
    assert not torch.equal(first, AcquiredImaged(acquisition(), None, seed=1)(item)["acquired"])
    assert not torch.equal(first, AcquiredImaged(acquisition(), None)(item | {"subject": "b"})["acquired"])


def test_the_caches_key_does_not_depend_on_what_was_drawn_before(item):
    used = Acquisition(make_mask("random", 4), KspaceNoise(0.1), visible=["t2"])
    used.set_random_state(seed=7)
    used(torch.ones(16, 16), torch.ones(16, 16))
    first, second = AcquiredImaged(acquisition(), None), AcquiredImaged(used, None)
    key = pickle_hashing([first])
    first(item)
    assert pickle_hashing([first]) == pickle_hashing([second]) == key
    assert pickle_hashing([AcquiredImaged(Acquisition(make_mask("random", 5), KspaceNoise(0.1)), None)]) != key
