"""A client's settings are checked as those of the command line, and what is not ours is passed over."""

from __future__ import annotations

import pytest

from bundle.errors import BundleError
from bundle.label.requests import SCAN, check_names, scan_settings
from bundle.label.source import IN_SERIES
from bundle.settings.table import default_of


def test_defaults_as_clients_send_them_back_are_the_configs_own():
    texts = {name: default_of(name).strip("`") for name in SCAN}
    settings = scan_settings({**texts, "device": "cpu", "image_path": "x", "latencies": {}})
    assert settings["visible"] == ["t1", "t2"] and settings["center_fraction"] is None
    assert (settings["acceleration"], settings["image_size"], settings["pattern"]) == (6, 256, "random")


@pytest.mark.parametrize(
    ("request_", "said"),
    [
        ({"acceleration": "fast"}, "acceleration is a number from 1"),
        ({"acceleration": "["}, "acceleration is a number from 1"),
        ({"pattern": "@device"}, "pattern is random, "),
        ({"image_size": 100}, "image_size is a multiple of 16"),
    ],
)
def test_a_wrong_value_is_refused(request_, said):
    with pytest.raises(BundleError, match=said):
        scan_settings(request_)


def test_a_slip_of_a_settings_name_is_told_and_other_clients_entries_are_not():
    with pytest.raises(BundleError, match="There is no setting acelleration; did you mean acceleration?"):
        check_names({"acelleration": 4})
    check_names(
        {"image": "a", "result_dtype": "uint8", "largest_cc": False, "multi_gpu": False, "session": {}, "_image_id": 1}
    )


@pytest.mark.parametrize("name", ["output_format", "t1_series", "t2_series"])
def test_a_setting_that_has_no_use_here_is_refused(name):
    assert name not in SCAN
    with pytest.raises(BundleError, match=f"This server does not know {name}"):
        check_names(["image", name])
    check_names(["image", "t1_series", "t2_series", "output_format"], IN_SERIES)
