"""The scan's matrix: as asked for; of an interpolated image less the border of k-space that is empty, and told."""

from __future__ import annotations

import logging

import numpy as np
import pytest
import torch
from monai.data import MetaTensor

from bundle.data import VolumeToSlicesd, geometry_of
from bundle.data.matrix import check_image_size
from bundle.errors import BundleError
from tests.data.test_interpolation import noisy, zero_filled


def volume(slices: np.ndarray) -> MetaTensor:
    """``(s, h, w)`` as a file of thick slices."""
    affine = torch.diag(torch.tensor([1.0, 1.0, 4.0, 1.0], dtype=torch.float64))
    return MetaTensor(torch.from_numpy(slices.astype(np.float32)).permute(1, 2, 0)[None], affine=affine)


INTERPOLATED = volume(zero_filled(noisy(96, 128), 96, 224))  # 128 of 224 columns are filled


def test_acquired_crops_the_axis_that_has_an_empty_border_and_keeps_what_was_measured():
    item = VolumeToSlicesd(["t2"], "acquired")({"t2": INTERPOLATED})
    height, width = item["geometry"].matrix
    assert height == 96 and width % 16 == 0 and 112 <= width <= 128
    assert item["t2"].shape == (3, height, width)
    kept = VolumeToSlicesd(["t2"], [96, width])({"t2": volume(noisy(96, 128))})["t2"]
    assert (item["t2"] / 2 * (224 / 128) ** 0.5 - kept).abs().mean() < 0.02 * kept.mean()  # intensities of zero_filled


def test_an_image_as_it_was_acquired_keeps_its_matrix_and_nothing_is_said(caplog):
    caplog.set_level(logging.INFO)
    item = VolumeToSlicesd(["t2"], "acquired")({"t2": volume(noisy(96, 128))})
    assert item["geometry"].matrix == (96, 128) and not caplog.records


@pytest.mark.parametrize(("image_size", "level"), [(None, "WARNING"), ([96, 224], "WARNING"), ([96, 128], "INFO")])
def test_a_scan_of_what_was_never_measured_is_warned_of_with_what_to_do(caplog, image_size, level):
    caplog.set_level(logging.INFO)
    assert geometry_of(INTERPOLATED, image_size).matrix[0] == 96 and not caplog.records
    VolumeToSlicesd(["t2"], image_size)({"t2": INTERPOLATED})
    (record,) = caplog.records
    assert record.levelname == level and "96 of 96 rows and 13" in record.getMessage()
    assert ("never measured" in record.getMessage() and "image_size acquired" in record.getMessage()) == (
        level == "WARNING"
    )


def test_other_words_are_refused():
    check_image_size("acquired")
    with pytest.raises(BundleError, match="image_size is a multiple of 16"):
        check_image_size("native")
