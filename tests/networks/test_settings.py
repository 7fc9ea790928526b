"""A network tells from its weights what it was built with, and knows those of another one from its own."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from bundle.errors import BundleError
from bundle.networks import DuDoRNet, MANet, UNetT2, Unrolled, Xiang, ZeroFilled, network_from, settings_from
from bundle.networks.attention import ATTENTION_ORDERS

UNROLLED = {"memory": 3, "instance_norm": False}
NETWORKS = [
    *((MANet, {"channels": 4, "depth": 2, "stage": "both", "guidance": order}) for order in ATTENTION_ORDERS),
    (MANet, {"channels": 20, "depth": 1, "stage": "image", "guidance": "concatenation"}),
    (UNetT2, {"channels": 6, "poolings": 3}),
    (Xiang, {"channels": 5, "depth": 2}),
    (DuDoRNet, {"channels": 7}),
    (Unrolled, {"cascades": 2, "widths": [4, 6], **UNROLLED, "guidance": "concatenation"}),
    (Unrolled, {"cascades": 2, "widths": [4], **UNROLLED, "guidance": "concatenation", "instance_norm": True}),
    *((Unrolled, {"cascades": 1, "widths": [4, 6], **UNROLLED, "guidance": order}) for order in ATTENTION_ORDERS),
]


@pytest.mark.parametrize(("kind", "settings"), NETWORKS, ids=str)
def test_a_network_built_by_the_settings_of_weights_takes_them(kind, settings):
    weights = kind(**settings).state_dict()
    assert kind.settings_from(weights) == settings_from(weights) == settings
    kind(**settings_from(weights)).load_state_dict(weights)


@pytest.mark.parametrize(("kind", "settings"), NETWORKS, ids=str)
def test_weights_of_another_network_are_none_of_its_own(kind, settings):
    weights = kind(**settings).state_dict()
    others = {MANet, UNetT2, Xiang, DuDoRNet, Unrolled} - {kind}
    assert [other.settings_from(weights) for other in others] == [None] * 4


@pytest.mark.parametrize(("kind", "settings"), [pair for pair in NETWORKS if pair[0] is not DuDoRNet], ids=str)
def test_a_network_is_built_as_its_weights_tell(kind, settings):
    weights = kind(**settings).state_dict()
    network = network_from(weights)
    assert type(network) is kind
    network.load_state_dict(weights)


def test_a_network_whose_weights_do_not_tell_all_is_not_guessed():
    with pytest.raises(BundleError, match="DuDoRNet do not tell its recurrences; add its overlay"):
        network_from(DuDoRNet(4, recurrences=2).state_dict())
    assert network_from({}) is None


@pytest.mark.parametrize(
    "weights",
    [{}, nn.Linear(2, 3).state_dict(), {"attentions.0.weight": torch.zeros(1)}, ZeroFilled().state_dict()],
    ids=["nothing", "linear", "attention", "zero filling"],
)
def test_other_weights_are_of_no_network(weights):
    assert settings_from(weights) is None
