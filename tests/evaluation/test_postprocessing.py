"""Reconstructions come back in the units, on the grid and under the name of their T2 file."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from monai.data import MetaTensor

from bundle.data.datalist import volume_name
from bundle.data.prepared import PreparedVolume
from bundle.data.to_slices import VolumeToSlicesd
from bundle.evaluation.postprocessing import ToFileGridd, ToMatrixGridd, UndoScaled, output_names

SHAPE = (5, 41, 30)
AFFINE = np.array([[0, -0.9, 0.1, 12], [0.2, 0, 1.1, -30], [4, 0.1, 0, 5], [0, 0, 0, 1]])


def volume_of(image_size: int | None) -> tuple[PreparedVolume, torch.Tensor, torch.Tensor]:
    """A prepared sagittal volume, its T2 (x, y, z), and its slices (1, h, w, s) as the network returns them."""
    t2 = 500 * torch.rand(1, *SHAPE, generator=torch.Generator().manual_seed(0))
    item = VolumeToSlicesd("t2", image_size)({"t2": MetaTensor(t2, affine=torch.from_numpy(AFFINE))})
    volume = PreparedVolume("sub-1_a", "sub-1", Path("unused.npy"), item["geometry"], {}, (1.0,) * SHAPE[0])
    volume = replace(volume, session="a", files={"t2": "T2.nii"})
    return volume, t2[0], torch.as_tensor(item["t2"]).movedim(0, -1)[None]


def test_scale_is_undone_slice_by_slice_in_float32():
    scale = torch.tensor([2.0, 0.0, 700.0]).reshape(1, 1, 1, 3)
    prediction = torch.rand(1, 4, 6, 3)
    item = {"pred": prediction.bfloat16(), "scale": scale, "label": prediction}
    output = UndoScaled("pred")(item)
    assert output["pred"].dtype == torch.float32 and output["label"] is prediction
    torch.testing.assert_close(output["pred"], prediction.bfloat16().float() * scale)
    assert item["pred"].dtype == torch.bfloat16


@pytest.mark.parametrize("image_size", [None, 48, 64])
def test_volume_comes_back_as_it_was_where_the_matrix_is_as_large_as_its_plane(image_size):
    volume, t2, slices = volume_of(image_size)
    output = ToFileGridd("pred")({"pred": slices, "place": volume.place.as_text()})["pred"]
    assert output.shape == (1, *SHAPE) and torch.equal(torch.as_tensor(output[0]), t2)


def test_file_grid_is_that_of_the_t2_file_also_from_a_smaller_matrix():
    volume, t2, slices = volume_of(16)
    output = ToFileGridd("pred")({"pred": slices, "place": volume.place.as_text()})["pred"]
    assert output.shape == (1, *SHAPE) and output.dtype == torch.float32
    np.testing.assert_allclose(output.affine.numpy(), AFFINE)
    assert output.mean().item() == pytest.approx(t2.mean().item(), rel=0.01)


def test_matrix_grid_keeps_the_voxels_and_carries_the_matrix_affine():
    volume, _, slices = volume_of(32)
    output = ToMatrixGridd(["pred", "label"], [volume])({"pred": slices, "label": slices, "index": 0})
    for key in ("pred", "label"):
        assert torch.equal(torch.as_tensor(output[key]), slices)
        np.testing.assert_allclose(output[key].affine.numpy(), volume.geometry.matrix_affine)


def test_each_image_goes_to_the_volume_that_its_index_names():
    (one, _, _), (other, _, slices) = volume_of(None), volume_of(32)
    output = ToMatrixGridd("pred", [one, other])({"pred": slices, "index": torch.tensor(1)})["pred"]
    np.testing.assert_allclose(output.affine.numpy(), other.geometry.matrix_affine)


@pytest.mark.parametrize(
    ("item", "stem"),
    [
        ({"subject": "T2 säg (1)", "t2": "/data/T2 säg (1).nii.gz"}, "T2 säg (1)"),
        ({"subject": "$T2_$x", "t2": "$T2_$x.NII.GZ"}, "$T2_$x"),
        ({"subject": "20240105", "session": None, "t2": "20240105.nii"}, "20240105"),
        ({"subject": "sub-01", "t2": "a/T2.nii.gz"}, "sub-01"),
        ({"subject": "sub 01", "session": "1", "t2": "a/T2.nii.gz"}, "sub_01_1"),
        ({"subject": "T2", "session": "1", "t2": "a/T2.nii.gz"}, "T2_1"),
    ],
)
def test_outputs_are_named_after_a_t2_file_that_was_given_and_after_the_subject_of_a_list(item, stem):
    assert output_names([item], "recon") == [f"{stem}_recon.nii.gz", f"{stem}_recon.json"]
    volume, _, slices = volume_of(None)
    volume = replace(volume, subject=item["subject"], session=item.get("session"), files={"t2": item["t2"]})
    volume = replace(volume, name=volume_name(item))
    assert ToFileGridd("pred")({"pred": slices, "place": volume.place.as_text()})["pred"].meta["stem"] == stem


@pytest.mark.parametrize("on_matrix", [False, True])
def test_image_knows_its_name_and_its_t2_file(on_matrix):
    volume, _, slices = volume_of(48)
    grid = ToMatrixGridd("pred", [volume]) if on_matrix else ToFileGridd("pred")
    meta = grid({"pred": slices, "index": 0, "place": volume.place.as_text()})["pred"].meta
    assert (meta["stem"], meta["t2_file"]) == ("sub-1_a", "T2.nii")
