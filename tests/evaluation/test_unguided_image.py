"""T1 can be registered to a reconstruction that was made without it."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from monai.data import MetaTensor
from monai.data.utils import pickle_hashing
from monai.inferers import SliceInferer

from bundle.acquisition import Acquisition, KspaceNoise, make_mask
from bundle.data import VolumeToSlicesd, slices_to_volume
from bundle.evaluation import MirroringInferer, UnguidedImaged
from bundle.networks import DuDoRNet, Unrolled
from tests.nifti_pairs import T2_AFFINE, T2_SHAPE, head


@pytest.fixture
def item() -> dict:
    volume = MetaTensor(torch.from_numpy(head(T2_AFFINE, T2_SHAPE, "t2"))[None], affine=torch.from_numpy(T2_AFFINE))
    return {"subject": "a", "t2": volume}


@pytest.fixture
def network() -> Unrolled:
    network = Unrolled(cascades=1, widths=(4, 4), memory=1)
    torch.nn.init.normal_(network.regularisers[0].head.weight, std=0.01)
    return network


def unguided(network, acceleration: float = 4, noise: float = 0.1, seed: int = 0, mirroring=False) -> UnguidedImaged:
    acquisition = Acquisition(make_mask("random", acceleration), KspaceNoise(noise))
    inferer = SliceInferer(roi_size=(-1, -1), spatial_dim=2, sw_batch_size=4)
    inferer = MirroringInferer(inferer, mirroring)
    return UnguidedImaged(lambda: network, inferer, "cpu", acquisition, image_size=32, seed=seed)


def test_it_is_what_the_network_makes_of_the_scan_when_t1_is_zero(item, network):
    made = unguided(network)
    slices = VolumeToSlicesd(("t2",), 32)(item)
    acquired = []
    made.image_of = lambda scan: acquired.append(scan) or scan.zero_filled
    made(item)
    assert not acquired[0].image[:, :2].any() and acquired[0].image[:, 2:].any()
    with torch.no_grad():
        expected = network(acquired[0].image)[:, 0] * acquired[0].scale
    found = unguided(network)(item)["reconstruction"]
    torch.testing.assert_close(found.as_tensor()[0], slices_to_volume(expected, slices["geometry"]))
    assert found.shape == item["t2"].shape and network.training
    np.testing.assert_array_equal(found.affine, item["t2"].affine)


def test_of_a_whole_scan_without_noise_it_is_t2(item):
    found = unguided(Unrolled(cascades=1, widths=(4, 4), memory=1), acceleration=1, noise=0)(item)["reconstruction"]
    slices = VolumeToSlicesd(("t2",), 32)(item)
    expected = slices_to_volume(slices["t2"], slices["geometry"])
    torch.testing.assert_close(found.as_tensor()[0], expected, atol=1e-3 * float(expected.max()), rtol=0)


def test_the_caches_key_depends_on_the_weights_the_scan_and_how_it_is_reconstructed_and_on_nothing_else(network):
    key = pickle_hashing([unguided(network)])
    again = Unrolled(cascades=1, widths=(4, 4), memory=1)
    assert pickle_hashing([unguided(again)]) != key
    again.load_state_dict(network.state_dict())
    assert pickle_hashing([unguided(again)]) == key
    assert pickle_hashing([unguided(network, acceleration=5)]) != key != pickle_hashing([unguided(network, seed=1)])
    made = unguided(network, mirroring=True)
    mirrored = pickle_hashing([made])
    assert mirrored != key
    made.inferer(torch.ones(1, 4, 32, 32, 2), network)
    assert pickle_hashing([made]) == mirrored


def test_what_weights_do_not_tell_is_of_the_caches_key():
    five, two = (DuDoRNet(channels=2, recurrences=recurrences) for recurrences in (5, 2))
    two.load_state_dict(five.state_dict())
    assert pickle_hashing([unguided(five)]) != pickle_hashing([unguided(two)])
