"""A wrong value of a setting is one sentence: what it may be, and what it is."""

from __future__ import annotations

import pytest
import torch

from bundle.errors import BundleError
from bundle.settings import check_values, checked_device

NO_GPU = pytest.mark.skipif(torch.accelerator.is_available(), reason="there is a device")
WHOLE = "is a whole number from 1 on, not"


@pytest.mark.parametrize(
    ("name", "value", "said"),
    [
        ("channels", 0, f"{WHOLE} 0."),
        ("channels", -3, f"{WHOLE} -3."),
        ("channels", None, f"{WHOLE} null."),
        ("batch_size", 0, f"{WHOLE} 0."),
        ("epochs", 0, f"{WHOLE} 0."),
        ("epochs", "two", f"{WHOLE} 'two'."),
        ("epochs", 2.5, f"{WHOLE} 2.5."),
        ("epochs", True, f"{WHOLE} True."),  # --epochs without a value
        ("val_interval", 0, f"{WHOLE} 0."),
        ("num_workers", -1, "is a whole number from 0 on, not -1."),
        ("seed", "abc", "is a whole number from 0 to 4294967295, not 'abc'."),
        ("seed", 2**32, "is a whole number from 0 to 4294967295, not 4294967296."),
        ("learning_rate", -0.1, "is a number above 0, not -0.1."),
        ("learning_rate", "fast", "is a number above 0, not 'fast'."),
        ("learning_rate", float("nan"), "is a number above 0, not nan."),
        ("learning_rate", 1e400, "is a number above 0, not inf."),
        ("learning_rate", "1e-3", "is a number above 0, not '1e-3', which is text here; write 0.001."),  # YAML's 1e-3
        ("alpha", 1.5, "is a number from 0 to 1, not 1.5."),
        ("beta", "half", "is a number from 0 to 1, not 'half'."),
        ("acceleration", 0.5, "is a number from 1 .* on, as 6 for 6x, not 0.5."),
        ("center_fraction", 1, "is a number between 0 and 1, .*, not 1."),
        ("noise_level", -1, "is a number from 0 to 1000, not -1."),
        ("noise_level", 1e5, "is a number from 0 to 1000, not 100000.0."),
        ("image_size", 250, "is a multiple of 16 up to 4096, a pair of them, acquired, or null, not 250."),
        ("image_size", 100_000, "is a multiple of 16 up to 4096, a pair of them, acquired, or null, not 100000."),
        ("image_size", [32, 32, 32], "is .* a pair of them, acquired, or null, not .32, 32, 32."),
        ("visible", ["t3"], "is a list of t1, t2 or both, not .'t3'."),
        ("visible", [], "is a list of t1, t2 or both, not"),
        ("pattern", "zigzag", "is random, uniform, radial, .* or fastmri_equispaced, not 'zigzag'."),
        ("stage", "kspace", "is both or image, not 'kspace'."),
        ("guidance", "cs", "is CS, SC, SC-CS or concatenation, not 'cs'."),
        ("guide", "another", "is null or a component of bundle.acquisition, not 'another'."),
        ("amp", "maybe", "is true or false, not 'maybe'."),
        ("overwrite", 7, "is true or false, not 7."),
        ("channels_last", "first", "is true, false or null, not 'first'."),
        ("output_dir", None, "is a path, not null."),
        ("checkpoint", True, "is a path or null, not True."),
        ("save_at_most", 0, "is a whole number from 1 on, or null for all, not 0."),
        ("device", "gpu", "is cpu, cuda, .* or mps, not 'gpu'."),
        ("device", "CPU", "is cpu, cuda, .* or mps, not 'CPU'."),
        ("device", 0, "is cpu, cuda, .* or mps, not 0."),
    ],
)
def test_a_wrong_value_is_refused_with_its_name_what_it_may_be_and_what_it_is(name, value, said):
    with pytest.raises(BundleError, match=f"^{name} {said}"):
        check_values({"epochs": 3, name: value})


@NO_GPU
@pytest.mark.parametrize("device", ["cuda", "cuda:7", "mps"])
def test_a_device_that_is_not_there_is_refused_with_those_that_are(device):
    with pytest.raises(BundleError, match=f"no device '{device}' on this machine, as far as torch sees, only cpu."):
        check_values({"device": device})


def test_one_gpu_of_two_is_the_first_or_the_second(monkeypatch):
    monkeypatch.setattr(torch.accelerator, "current_accelerator", lambda check_available: torch.device("cuda"))
    monkeypatch.setattr(torch.accelerator, "device_count", lambda: 2)
    assert [checked_device(name) for name in ("cuda", "cuda:1", "cpu")] == list(
        map(torch.device, ("cuda", "cuda:1", "cpu"))
    )
    with pytest.raises(BundleError, match="no device 'cuda:2' .* only cpu, cuda:0, cuda:1"):
        checked_device(torch.device("cuda:2"))


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("amp", "false"),  # as the command line hands it over
        ("overwrite", 1),
        ("channels_last", "null"),
        ("image_size", (32, 48)),
        ("image_size", "null"),
        ("visible", "t2"),
        ("learning_rate", 1),
        ("acceleration", 1),
        ("noise_level", 0),
        ("guide", {"_target_": "bundle.acquisition.OtherSubjectGuide"}),
        ("network_name", {"_target_": "str"}),
        ("channels", "$@weights.setting('channels')"),
        ("epochs", "@more"),
        ("output_dir", 20240105),  # a folder called so: bundle.paths undoes it
        ("device", torch.device("cpu")),
        ("an_id_of_an_overlay", object()),
    ],
)
def test_right_values_expressions_and_components_pass(name, value):
    check_values({name: value})


@pytest.mark.parametrize(("name", "value"), [("amp", "@device"), ("pattern", "$x"), ("guide", {"_target_": "a.b"})])
def test_where_no_config_is_written_expressions_and_components_are_wrong_values(name, value):
    check_values({name: value})
    with pytest.raises(BundleError, match=f"^{name} is "):
        check_values({name: value}, expressions=False)
