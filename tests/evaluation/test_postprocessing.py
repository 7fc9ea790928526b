"""Reconstructions come back in the units, on the grid and under the name of their T2 file."""

from __future__ import annotations

from pathlib import Path

import nibabel as nib
import numpy as np
import pytest
import torch
from monai.data import MetaTensor

from bundle.data.prepared import PreparedVolume
from bundle.data.slices import VolumeToSlicesd
from bundle.evaluation.postprocessing import ToFileGridd, ToMatrixGridd, UndoScaled, output_names, save_volumed

SHAPE = (5, 41, 30)
AFFINE = np.array([[0, -0.9, 0.1, 12], [0.2, 0, 1.1, -30], [4, 0.1, 0, 5], [0, 0, 0, 1]])


def volume_of(image_size: int | None) -> tuple[PreparedVolume, torch.Tensor, torch.Tensor]:
    """A prepared sagittal volume, its T2 (x, y, z), and its slices (1, h, w, s) as the network returns them."""
    t2 = 500 * torch.rand(1, *SHAPE, generator=torch.Generator().manual_seed(0))
    item = VolumeToSlicesd("t2", image_size)({"t2": MetaTensor(t2, affine=torch.from_numpy(AFFINE))})
    volume = PreparedVolume("sub-1_a", "sub-1", Path("unused.npy"), item["geometry"], {}, (1.0,) * SHAPE[0])
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
    output = ToFileGridd("pred", [volume])({"pred": slices, "index": torch.tensor(0)})["pred"]
    assert output.shape == (1, *SHAPE) and torch.equal(torch.as_tensor(output[0]), t2)


def test_file_grid_is_that_of_the_t2_file_also_from_a_smaller_matrix():
    volume, t2, slices = volume_of(16)
    output = ToFileGridd("pred", [volume])({"pred": slices, "index": 0})["pred"]
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
    output = ToFileGridd("pred", [one, other])({"pred": slices, "index": torch.tensor(1)})["pred"]
    assert output.shape == (1, *SHAPE)


@pytest.mark.parametrize("grid", [ToFileGridd, ToMatrixGridd])
def test_saved_file_holds_the_same_values_shape_and_affine_under_the_name_announced(grid, tmp_path):
    volume, _, slices = volume_of(48)
    image = grid("pred", [volume])({"pred": slices, "index": 0})
    save_volumed("pred", "recon", str(tmp_path))(image)
    assert [path.name for path in tmp_path.iterdir()] == ["sub-1_a_recon.nii.gz"]
    assert output_names([volume], "recon") == ["sub-1_a_recon.nii.gz", "sub-1_a_recon.json"]
    saved = nib.load(tmp_path / "sub-1_a_recon.nii.gz")
    assert saved.get_data_dtype() == np.float32 and saved.shape == tuple(image["pred"].shape[1:])
    np.testing.assert_array_equal(saved.get_fdata(dtype=np.float32), image["pred"][0].numpy())
    np.testing.assert_allclose(saved.affine, image["pred"].affine.numpy(), atol=1e-5)
