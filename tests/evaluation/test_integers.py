"""Integers show what a viewer of floats shows: in proportion, clamped, and never wrapped around."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from monai.data import MetaTensor

from bundle.errors import BundleError
from bundle.evaluation import ToIntegersd


def image(most: float, least: float = -1.1) -> torch.Tensor:
    values = torch.rand(1, 6, 5, 4, generator=torch.Generator().manual_seed(0)) * most
    values[0, 0, 0, 0], values[0, 1, 1, 1] = least, most
    return values


@pytest.mark.parametrize("kind", ["uint8", "uint16", "int16", "int32", "uint32"])
@pytest.mark.parametrize("most", [0.9, 200.0, 1500.0, 7e4, 3e9])
def test_the_largest_types_numbers_are_in_proportion_to_the_floats_and_none_wraps(kind, most):
    pred = image(most)
    output = ToIntegersd("pred")({"pred": pred, "result_dtype": kind})
    limits, scale = np.iinfo(kind), output["result"]["intensity_scale"]
    whole = output["pred"].numpy()
    stored = whole.astype(kind)  # as MONAI Label writes it
    np.testing.assert_array_equal(stored.astype(np.float64), whole)
    expected = np.clip(pred.numpy().astype(np.float64) * scale, limits.min, limits.max)
    np.testing.assert_allclose(stored, expected, atol=0.51, rtol=1e-6)
    assert stored.max() == (round(most) if 1000 <= most <= limits.max else pytest.approx(limits.max, rel=1e-6))
    assert stored[0, 0, 0, 0] == max(limits.min, round(-1.1 * scale))


@pytest.mark.parametrize("asked", [{}, {"result_dtype": None}, {"result_dtype": "float32"}])
def test_floats_stay_as_they_are(asked):
    item = {"pred": image(500.0), **asked}
    output = ToIntegersd("pred")(item)
    assert output == item and output["pred"] is item["pred"]


def test_an_empty_image_stays_empty_and_other_words_for_the_client_are_kept():
    pred = MetaTensor(torch.zeros(1, 2, 2, 2), affine=2 * torch.eye(4))
    output = ToIntegersd("pred")({"pred": pred, "result_dtype": "uint8", "result": {"note": "x"}})
    assert output["pred"].max() == 0 and torch.equal(output["pred"].affine, pred.affine)
    assert output["result"] == {"note": "x", "intensity_scale": 1.0}


@pytest.mark.parametrize("kind", ["complex64", "object", "no such type", "U3"])
def test_a_type_that_holds_no_image_is_refused(kind):
    with pytest.raises(BundleError, match=f"^result_dtype is a type of numbers such as .*, not '{kind}'"):
        ToIntegersd("pred")({"pred": image(1.0), "result_dtype": kind})
