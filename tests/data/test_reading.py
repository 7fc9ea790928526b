"""What the reader accepts, and one sentence for what it does not."""

from __future__ import annotations

import gzip
import pickle
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest
import torch
from monai.data import MetaTensor

from bundle.data.reading import ReadVolumed, read_volume
from bundle.errors import BundleError

AFFINE = np.array([[-0.9, 0, 0, 80.0], [0, 0.9, 0.1, -90], [0, -0.1, 3, -20], [0, 0, 0, 1]])
VOXELS = np.random.default_rng(0).integers(0, 1000, (9, 11, 7)).astype(np.float32)


def save(path: Path, voxels: np.ndarray = VOXELS, affine: np.ndarray = AFFINE, kind: type = nib.Nifti1Image) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    nib.save(kind(voxels, affine), path)
    return path


def sentence(path: Path | str, **settings: int) -> str:
    with pytest.raises(BundleError) as caught:
        read_volume(path, **settings)
    said = str(caught.value)
    assert str(path) in said and said.endswith(".") and "\n" not in said and "Error" not in said
    return said


def test_volume_comes_as_float32_with_the_files_affine_and_name(tmp_path):
    path = save(tmp_path / "a.nii.gz")
    volume = read_volume(path)
    assert isinstance(volume, MetaTensor) and volume.shape == (1, 9, 11, 7) and volume.dtype == torch.float32
    np.testing.assert_array_equal(volume.numpy()[0], VOXELS)
    np.testing.assert_array_equal(volume.affine, nib.load(path).affine)
    assert volume.meta["filename_or_obj"] == str(path)


@pytest.mark.parametrize(
    "name",
    ["a.nii", "b.nii.gz", "C.NII.GZ", "with space/a b.nii.gz", "Δοκιμή/試験-ñ.nii.gz", "$HOME/a$x@ref%5 %s.nii.gz"],
)
def test_names_and_suffixes_make_no_difference(tmp_path, name):
    np.testing.assert_array_equal(read_volume(str(save(tmp_path / name))).numpy()[0], VOXELS)


def test_nifti2_and_one_volume_in_four_or_five_dimensions_are_read(tmp_path):
    second = save(tmp_path / "two.nii.gz", kind=nib.Nifti2Image)
    fourth = save(tmp_path / "four.nii.gz", VOXELS[..., None])
    fifth = save(tmp_path / "five.nii.gz", VOXELS[..., None, None])
    for path in (second, fourth, fifth):
        volume = read_volume(path)
        assert volume.shape == (1, 9, 11, 7)
        np.testing.assert_array_equal(volume.numpy()[0], VOXELS)


def test_big_endian_scaled_integers_come_in_their_physical_units(tmp_path):
    header = nib.Nifti1Header(endianness=">")
    header.set_data_dtype(np.int16)
    image = nib.Nifti1Image(VOXELS.astype(np.int16), AFFINE, header)
    image.header.set_slope_inter(0.5, 3)
    nib.save(image, tmp_path / "big.nii.gz")
    stored = nib.load(tmp_path / "big.nii.gz")
    assert stored.header.endianness == ">" and stored.get_data_dtype() == np.dtype(">i2")
    np.testing.assert_allclose(read_volume(tmp_path / "big.nii.gz").numpy()[0], stored.get_fdata(), atol=1e-3)


def test_scaled_integers_equal_raw_times_slope_plus_intercept(tmp_path):
    header = nib.Nifti1Header()
    header.set_data_dtype(np.uint8)
    values = (VOXELS % 200).astype(np.uint8)
    path = tmp_path / "scaled.nii"
    nib.save(nib.Nifti1Image(values, AFFINE, header), path)
    raw = bytearray(path.read_bytes())
    raw[112:120] = np.array([0.25, 7.0], "<f4").tobytes()  # scl_slope, scl_inter
    path.write_bytes(raw)
    np.testing.assert_allclose(read_volume(path).numpy()[0], values * 0.25 + 7)


def test_sform_is_kept_where_pixdim_disagrees(tmp_path):
    image = nib.Nifti1Image(VOXELS, AFFINE)
    image.header["pixdim"][1:4] = 1
    nib.save(image, tmp_path / "a.nii")
    raw = bytearray((tmp_path / "a.nii").read_bytes())
    raw[80:92] = np.ones(3, "<f4").tobytes()  # pixdim[1:4]
    (tmp_path / "a.nii").write_bytes(raw)
    np.testing.assert_allclose(read_volume(tmp_path / "a.nii").affine, AFFINE, atol=1e-6)


def test_what_is_no_file_is_refused(tmp_path):
    assert "does not exist" in sentence(tmp_path / "none.nii.gz")
    (tmp_path / "folder.nii.gz").mkdir()
    assert "folder" in sentence(tmp_path / "folder.nii.gz")
    (tmp_path / "a.png").write_bytes(b"x")
    assert "suffix" in sentence(tmp_path / "a.png")
    with pytest.raises(BundleError, match="Expected the path"):
        read_volume("")


@pytest.mark.parametrize("share", [0.0, 0.1, 0.6, 0.95])
def test_truncated_file_is_refused(tmp_path, share):
    whole = save(tmp_path / "a.nii.gz", np.random.default_rng(1).random((40, 40, 20), np.float32))
    cut = tmp_path / "cut.nii.gz"
    cut.write_bytes(whole.read_bytes()[: int(share * whole.stat().st_size)])
    assert "cannot be read as NIfTI" in sentence(cut)
    cut = tmp_path / "cut.nii"
    cut.write_bytes(gzip.decompress(whole.read_bytes())[: int(share * 128_352)])
    assert "cannot be read as NIfTI" in sentence(cut)


def test_non_finite_voxels_are_counted(tmp_path):
    voxels = VOXELS.copy()
    voxels[0, 0, :3] = np.nan, np.inf, -np.inf
    assert "3 non-finite voxels" in sentence(save(tmp_path / "a.nii.gz", voxels))


@pytest.mark.parametrize("value", [0, 5])
def test_constant_volume_is_refused(tmp_path, value):
    assert f"every voxel is {value}" in sentence(save(tmp_path / "a.nii.gz", np.full_like(VOXELS, value)))


def test_single_slices_pass_only_where_they_are_allowed(tmp_path):
    flat = save(tmp_path / "a.nii.gz", VOXELS[..., 0])
    single = save(tmp_path / "b.nii.gz", VOXELS[..., :1])
    for path in (flat, single):
        assert "at least 2 voxels" in sentence(path)
        volume = read_volume(path, min_slices=1)
        assert volume.shape == (1, 9, 11, 1) and volume.affine.shape == (4, 4)
        np.testing.assert_array_equal(volume.numpy()[0, ..., 0], VOXELS[..., 0])


def test_transform_reads_both_keys_leaves_the_item_alone_and_pickles(tmp_path):
    item = {"t1": save(tmp_path / "t1.nii"), "t2": str(save(tmp_path / "t2.nii.gz")), "subject": "a"}
    read = pickle.loads(pickle.dumps(ReadVolumed()))(item)
    assert read["t1"].shape == read["t2"].shape == (1, 9, 11, 7) and read["subject"] == "a"
    assert isinstance(item["t1"], Path)


def test_a_gz_file_is_read_to_its_end_so_that_its_checksum_speaks(tmp_path):
    whole = save(tmp_path / "a.nii.gz").read_bytes()
    stored = gzip.compress(gzip.decompress(whole), 0)  # stored, not deflated: zlib itself sees nothing of a flipped bit
    middle = len(stored) // 2
    damaged = {
        "a flipped bit among the voxels": stored[:middle] + bytes([stored[middle] ^ 0x40]) + stored[middle + 1 :],
        "a wrong checksum": whole[:-8] + bytes([whole[-8] ^ 1]) + whole[-7:],
        "a wrong length": whole[:-4] + bytes([whole[-4] ^ 1]) + whole[-3:],
        "no checksum": whole[:-8],
        "something else behind it": whole + b"<html>",
    }
    for number, content in enumerate(damaged.values()):
        path = tmp_path / f"{number}.nii.gz"
        path.write_bytes(content)
        assert "cannot be read as NIfTI" in sentence(path)


def test_gz_files_in_several_members_or_padded_with_zeros_are_whole(tmp_path):
    raw = gzip.decompress(save(tmp_path / "a.nii.gz").read_bytes())
    members = gzip.compress(raw[:1000]) + gzip.compress(raw[1000:])  # as bgzip and pigz write them
    for number, content in enumerate((members, gzip.compress(raw) + bytes(512))):
        path = tmp_path / f"{number}.nii.gz"
        path.write_bytes(content)
        np.testing.assert_array_equal(read_volume(path).numpy()[0], VOXELS)


@pytest.mark.parametrize("scale", [1e200, 1e-300])
def test_numbers_that_single_precision_does_not_hold_are_told_as_what_they_are(tmp_path, scale):
    nib.save(nib.Nifti1Image(VOXELS.astype(np.float64) * scale, AFFINE), tmp_path / "a.nii.gz")
    with pytest.raises(BundleError, match="a.nii.gz has .* as its brightest voxel, which single precision cannot be"):
        read_volume(tmp_path / "a.nii.gz")
