"""Two trainings are the same where all that decides how they go is the same."""

from __future__ import annotations

import pytest
from monai.bundle import ConfigParser

from bundle.settings.snapshot import difference, snapshot
from tests.bundle_runs import ROOT


def of(**overrides) -> dict:
    parser = ConfigParser()
    parser.read_config(str(ROOT / "configs" / "train.yaml"))
    parser.update(overrides)
    parser.parse()
    return snapshot(parser.config)


@pytest.mark.parametrize(
    ("overrides", "other"),
    [
        ({"learning_rate": 0.01}, ("learning_rate", 0.001, 0.01)),
        ({"acceleration": 4, "epochs": 3}, ("acceleration", 6, 4)),
        ({"image_size": (32, 32)}, ("image_size", 256, [32, 32])),
        ({"train::optimizer::betas::0": 0.5}, ("train::optimizer::betas", [0.9, 0.999], [0.5, 0.999])),
        ({"mine": 3}, ("mine", "nothing", 3)),
        ({"train::trainer::epoch_length": 9}, ("train::trainer::epoch_length", "nothing", 9)),
        (
            {"train::loss": {"_target_": "bundle.training.ImageLoss"}},
            ("train::loss::_target_", "bundle.training.HybridDomainLoss", "bundle.training.ImageLoss"),
        ),
    ],
)
def test_what_decides_how_a_training_goes_is_compared(overrides, other):
    assert difference(of(), of(**overrides)) == other


@pytest.mark.parametrize(
    "overrides",
    [
        {"epochs": 3, "num_workers": 0, "device": "cpu", "amp": "false", "compile": True, "channels_last": "null"},
        {"output_dir": "/a", "dataset_dir": "/b", "cache_dir": "/c", "bundle_root": "/d", "start_from": "/e.pt"},
        {"resume": "true", "overwrite": True, "network_name": "mine"},
        {"center_fraction": "null", "visible": ("t1", "t2"), "acceleration": 6.0},  # the same, otherwise written
        {"train::dataloader::num_workers": 4},
    ],
)
def test_what_may_change_is_not(overrides):
    assert difference(of(), of(**overrides)) is None


def test_a_setting_that_an_earlier_version_did_not_have_had_its_default():
    before = {name: value for name, value in of().items() if name != "noise_level"}
    assert difference(before, of()) is None
    assert difference(before, of(noise_level=0.2)) == ("noise_level", 0.1, 0.2)
