"""A magnitude image has no large negative voxels; what interpolation leaves is set to 0, aloud."""

from __future__ import annotations

import logging

import numpy as np
import pytest
import torch
from monai.data import MetaTensor

from bundle.data.reading import read_volume
from bundle.data.voxels import check_voxels, without_negatives
from bundle.errors import BundleError

HEAD = np.zeros((1, 20, 20, 10), np.float32)
HEAD[:, 4:16, 4:16, 2:8] = np.random.default_rng(0).uniform(100, 1000, (1, 12, 12, 6))
INSIDE, OUTSIDE = HEAD > 0, HEAD == 0


def volume(voxels: np.ndarray) -> MetaTensor:
    return MetaTensor(torch.from_numpy(voxels.astype(np.float32)), affine=np.diag([2.0, 2, 5, 1]), meta={"name": "x"})


ONE_DEEP = HEAD.copy()
ONE_DEEP[0, 0, 0, 0] = -32768
SPOILT = {
    "padded with -1024": np.where(OUTSIDE, -1024, HEAD),
    "padded in one corner": ONE_DEEP,
    "shifted by an intercept": HEAD - 50,
    "z-scored": (HEAD - HEAD.mean()) / HEAD.std(),
    "z-scored inside a mask": np.where(INSIDE, (HEAD - HEAD[INSIDE].mean()) / HEAD[INSIDE].std(), 0),
    "scaled to -1 and 1": HEAD / 500 - 1,
    "all negative": -1 - HEAD,
}


@pytest.mark.parametrize("kind", SPOILT)
def test_large_negative_voxels_are_refused_with_what_to_do(kind):
    with pytest.raises(
        BundleError, match="a.nii is no magnitude image: .* are negative, down to .*; set a padding"
    ) as it:
        check_voxels(volume(SPOILT[kind]), "a.nii")
    assert "\n" not in str(it.value)


def test_small_negatives_beside_edges_are_set_to_0_with_a_line_and_nothing_else_changes(caplog):
    voxels = HEAD.copy()
    voxels[0, 3, 4:8, 4] = -150  # 0.15 of a bright voxel
    before = volume(voxels)
    check_voxels(before, "a.nii")
    with caplog.at_level(logging.INFO, "bundle"):
        after = without_negatives(before, "a.nii")
    assert caplog.messages == ["a.nii: 4 negative voxels, down to -150 as interpolation leaves them, set to 0"]
    np.testing.assert_array_equal(after.numpy(), HEAD)
    np.testing.assert_array_equal(after.affine, before.affine)
    assert after.meta["name"] == "x"


def test_an_image_without_negatives_is_handed_on_in_silence(caplog):
    image = volume(HEAD)
    assert without_negatives(image, "a.nii") is image and not caplog.messages


@pytest.mark.parametrize("values", [(0, 1), (0, 255), (3, 4)])
def test_a_mask_is_no_image(values):
    with pytest.raises(BundleError, match=f"is a mask, not an image: every voxel is {values[0]} or {values[1]}"):
        check_voxels(volume(np.where(INSIDE, values[1], values[0])), "a.nii")


@pytest.mark.parametrize("scale", [1e30, 1e-30])
def test_values_that_single_precision_cannot_square_are_refused(scale):
    with pytest.raises(BundleError, match="brightest voxel"):
        check_voxels(volume(HEAD * scale), "a.nii")
    check_voxels(volume(HEAD / 1e6), "a.nii")


@pytest.mark.parametrize(
    "path",
    [
        "ms-cross-mni/patient07/T2w.nii.gz",
        "tcga-lgg-brain/TCGA-FG-6692/T2w.nii.gz",
        "vrd-stroke/stroke/T2w.nii.gz",
        "ixi-slices/IXI002-Guys-0828/T2w.nii.gz",
    ],
)
def test_interpolated_images_of_patients_pass(shared_data, path):
    image = read_volume(shared_data / path, min_slices=1)
    assert float(image.min()) == 0 and float(image.max()) > 100
