"""Saved volumes lie where their T2 file lies: shape, both affines with their codes, units, whatever the axes are."""

from __future__ import annotations

import gzip
from collections.abc import Sequence
from itertools import permutations, product
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest
import torch

from bundle.data.prepared import PreparedVolume
from bundle.data.reading import read_volume
from bundle.data.to_slices import VolumeToSlicesd
from bundle.errors import BundleError
from bundle.evaluation import SaveVolumed, ToFileGridd, ToMatrixGridd

SHAPE = (6, 5, 7)
GEOMETRY = ["pixdim", "qform_code", "sform_code", "quatern_b", "quatern_c", "quatern_d", "qoffset_x", "qoffset_y"]
GEOMETRY += ["qoffset_z", "srow_x", "srow_y", "srow_z", "xyzt_units", "dim_info", "dim"]


def affine_of(order: Sequence[int], signs: Sequence[int], sizes: Sequence[float]) -> np.ndarray:
    """Voxel axis k runs along world axis ``order[k]``, tilted a little, its voxels ``sizes[k]`` mm long."""
    turn = np.array([[1, -0.02, 0.05], [0.02, 1, -0.03], [-0.05, 0.03, 1]])
    affine = np.eye(4)
    for axis in range(3):
        affine[:3, axis] = np.linalg.qr(turn)[0][:, order[axis]] * signs[axis] * sizes[axis]
    affine[:3, 3] = 10, -20, 30
    return affine


def write_t2(path: Path, affine: np.ndarray, shape: Sequence[int] = SHAPE, kind: type = nib.Nifti1Image) -> Path:
    """A T2 file with another scanner affine than its standard one, units, and what is about its contents only."""
    voxels = np.random.default_rng(0).integers(1, 900, shape).astype(np.int16)
    image = kind(voxels, affine)
    image.set_sform(affine, 4)
    image.set_qform(affine + 3 * np.eye(4, k=3), 1)  # 3 mm aside
    image.header.set_xyzt_units("mm", "sec")
    image.header.set_intent("estimate", name="contrast")
    image.header["descrip"], image.header["cal_max"] = b"T2 TSE", 700
    image.header.extensions.append(nib.nifti1.Nifti1Extension("comment", b"of the scan"))
    nib.save(image, path)
    return path


def saved(path: Path, folder: Path, image_size: int | None = None, on_matrix: bool = False) -> nib.Nifti1Image:
    """The file's own voxels, through the functions that a run's reconstructions pass."""
    item = VolumeToSlicesd("t2", image_size)({"t2": read_volume(path)})
    files = {"t1": "unused", "t2": str(path)}
    volume = PreparedVolume("a", path.name.split(".")[0], Path("unused"), item["geometry"], {}, (1.0,), files=files)
    grid = ToMatrixGridd("pred", [volume]) if on_matrix else ToFileGridd("pred")
    slices = torch.as_tensor(item["t2"]).movedim(0, -1)[None]
    served = {"pred": slices, "index": 0, "place": volume.place.as_text()}
    SaveVolumed("pred", "recon", str(folder))(grid(served))
    return nib.load(folder / f"{volume.name if on_matrix else volume.subject}_recon.nii.gz")


def assert_same_place(image: nib.Nifti1Image, source: nib.Nifti1Image) -> None:
    for field in GEOMETRY:
        np.testing.assert_array_equal(image.header[field], source.header[field], err_msg=field)


@pytest.mark.parametrize("thick", range(3))
@pytest.mark.parametrize("order", list(permutations(range(3))))
def test_volume_comes_back_in_its_place_whatever_its_axes_and_its_slice_axis(tmp_path, order, thick):
    sizes = [4.0 if axis == thick else 1.0 + 0.1 * axis for axis in range(3)]
    for signs in product((1, -1), repeat=3):
        path = write_t2(tmp_path / "T2.nii", affine_of(order, signs, sizes))
        image, source = saved(path, tmp_path), nib.load(path)
        assert_same_place(image, source)
        assert image.get_data_dtype() == np.float32 and image.shape == source.shape
        np.testing.assert_array_equal(image.get_fdata(), source.get_fdata())


@pytest.mark.parametrize("thick", range(3))
@pytest.mark.parametrize("order", list(permutations(range(3))))
def test_volume_on_the_scans_matrix_lies_where_it_was_by_both_affines(tmp_path, order, thick):
    sizes = [4.0 if axis == thick else 1.0 + 0.1 * axis for axis in range(3)]
    for signs, image_size in (((1, 1, 1), 16), ((-1, 1, 1), None)):
        path = write_t2(tmp_path / "T2.nii", affine_of(order, signs, sizes), shape=(20, 18, 22))
        image, source = saved(path, tmp_path, image_size, on_matrix=True), nib.load(path)
        geometry = VolumeToSlicesd("t2", image_size)({"t2": read_volume(path)})["geometry"]
        np.testing.assert_allclose(image.get_sform(), geometry.matrix_affine, atol=1e-4)
        np.testing.assert_allclose(image.get_qform(), source.get_qform() @ geometry.matrix_to_file, atol=1e-4)
        assert [image.header[code] for code in ("qform_code", "sform_code")] == [1, 4]
        assert image.header.get_xyzt_units() == ("mm", "sec")
        middle = np.append(np.array(image.shape) // 2, 1)
        in_file = np.round(geometry.matrix_to_file @ middle).astype(int)
        np.testing.assert_allclose(source.affine @ in_file, image.affine @ middle, atol=1e-3)


def test_what_a_header_says_about_the_contents_is_not_carried_over(tmp_path):
    header = saved(write_t2(tmp_path / "T2.nii.gz", np.diag([1.0, 1, 3, 1])), tmp_path).header
    assert header.get_intent()[0] == "none" and not header.extensions and header["cal_max"] == 0
    assert header["descrip"] == b""
    on_disk = nib.Nifti1Header(gzip.decompress((tmp_path / "T2_recon.nii.gz").read_bytes())[:348])
    assert (on_disk["scl_slope"], on_disk["scl_inter"]) == (1, 0)


@pytest.mark.parametrize(("qform", "sform"), [(0, 1), (1, 0), (0, 0), (2, 3)])
@pytest.mark.parametrize("unit", ["unknown", "mm", "micron"])
def test_codes_and_units_are_those_of_the_file(tmp_path, qform, sform, unit):
    of_a_mm = np.diag([1000, 1000, 1000, 1]) if unit == "micron" else np.eye(4)
    sheared = of_a_mm @ [[-1, 0, 0, 5], [0, 1.1, 1.0, 6], [0, 0, 3, 7], [0, 0, 0, 1]]
    image = nib.Nifti1Image(np.arange(1, 211, dtype=np.uint8).reshape(SHAPE), sheared)
    image.set_sform(sheared if sform else None, sform)
    image.set_qform(of_a_mm @ np.diag([-1, 1.1, 3.2, 1]) if qform else None, qform)
    image.header.set_xyzt_units(unit)
    nib.save(image, tmp_path / "T2.nii")
    assert_same_place(saved(tmp_path / "T2.nii", tmp_path), nib.load(tmp_path / "T2.nii"))
    on_matrix = saved(tmp_path / "T2.nii", tmp_path, on_matrix=True)
    assert (on_matrix.header["qform_code"], on_matrix.header["sform_code"]) == (qform, sform or (0 if qform else 2))
    assert on_matrix.header.get_xyzt_units()[0] == unit


def as_bytes(kind: str, *values: float) -> bytes:
    return np.array(values, kind).tobytes()


# NIfTI-1's fields by place: 252 qform_code and sform_code, 256 quatern_b and c, 280 srow_x, y, z
HEADERS = {
    "impossible quaternion": {252: as_bytes("<i2", 1, 1), 256: as_bytes("<f4", 1, 0.9)},
    "sform without standard code": {252: as_bytes("<i2", 1, 9)},
    "sform without standard code alone": {252: as_bytes("<i2", 0, -3)},
    "qform without standard code alone": {252: as_bytes("<i2", 9, 0)},
    "both without standard code": {252: as_bytes("<i2", 7, 9)},
    "singular sform": {280: as_bytes("<f4", *[0] * 12)},
    "sform that is no number": {280: as_bytes("<f4", np.nan)},
    "qform without voxel sizes": {80: as_bytes("<f4", 0, 0, 0)},
    "neither form": {252: as_bytes("<i2", 0, 0)},
}


@pytest.mark.parametrize("on_matrix", [False, True])
@pytest.mark.parametrize("header", HEADERS)
def test_every_reader_puts_the_output_where_t2_was_taken_to_lie(tmp_path, header, on_matrix):
    path = write_t2(tmp_path / "T2.nii", affine_of((0, 1, 2), (-1, 1, 1), (1, 1.1, 4)))
    raw = bytearray(path.read_bytes())
    for place, content in HEADERS[header].items():
        raw[place : place + len(content)] = content
    path.write_bytes(raw)
    image = saved(path, tmp_path, on_matrix=on_matrix)
    taken = VolumeToSlicesd("t2", None)({"t2": read_volume(path)})["geometry"].matrix_affine
    taken = taken if on_matrix else read_volume(path).affine.numpy()
    np.testing.assert_allclose(image.affine, taken, atol=1e-4)
    for form in (image.header.get_sform(coded=True), image.header.get_qform(coded=True)):
        assert form[1] in range(6) and (form[0] is None or abs(np.linalg.det(form[0])) > 0.1)
    sizes = np.linalg.norm(taken[:3, :3], axis=0)
    np.testing.assert_allclose(image.header.get_zooms(), sizes, rtol=1e-4)


@pytest.mark.parametrize("kind", [nib.Nifti1Image, nib.Nifti2Image])
@pytest.mark.parametrize("shape", [(*SHAPE, 1), (*SHAPE, 1, 1)])
def test_file_of_one_volume_in_four_dimensions_comes_back_with_them(tmp_path, shape, kind):
    path = write_t2(tmp_path / "T2.nii.gz", np.diag([1.0, 1, 3, 1]), shape, kind)
    image = saved(path, tmp_path)
    assert image.shape == shape and type(image) is kind
    assert_same_place(image, nib.load(path))


def test_big_endian_and_scaled_file_comes_back_in_its_place_and_units(tmp_path):
    header = nib.Nifti1Header(endianness=">")
    header.set_data_dtype(np.int16)
    affine = affine_of((2, 0, 1), (1, -1, 1), (4, 1, 1))
    nib.save(nib.Nifti1Image(np.linspace(3, 4000.5, 210).reshape(SHAPE), affine, header), tmp_path / "T2.nii.gz")
    image, source = saved(tmp_path / "T2.nii.gz", tmp_path), nib.load(tmp_path / "T2.nii.gz")
    assert source.header.endianness == ">" and source.dataobj.slope != 1
    assert_same_place(image, source)
    np.testing.assert_allclose(image.get_fdata(), source.get_fdata(), rtol=1e-6)


def test_same_volume_gives_the_same_bytes(tmp_path):
    path = write_t2(tmp_path / "T2.nii.gz", np.diag([1.0, 1, 3, 1]))
    for name in ("one", "two"):
        saved(path, tmp_path / name)
    one, two = (next((tmp_path / name).iterdir()).read_bytes() for name in ("one", "two"))
    assert one == two and len(gzip.decompress(one)) == 352 + 4 * 210


@pytest.mark.parametrize("change", [Path.unlink, lambda path: write_t2(path, np.eye(4), (5, 5, 5))])
def test_t2_file_that_has_gone_or_changed_meanwhile_is_named(tmp_path, change):
    path = write_t2(tmp_path / "T2.nii.gz", np.diag([1.0, 1, 3, 1]))
    item = VolumeToSlicesd("t2", None)({"t2": read_volume(path)})
    volume = PreparedVolume("a", "T2", Path("unused"), item["geometry"], {}, (1.0,), files={"t2": str(path)})
    slices = torch.as_tensor(item["t2"]).movedim(0, -1)[None]
    image = ToFileGridd("pred")({"pred": slices, "place": volume.place.as_text()})
    change(path)
    with pytest.raises(BundleError, match="T2.nii.gz was changed or removed"):
        SaveVolumed("pred", "recon", str(tmp_path / "out"))(image)
    assert not (tmp_path / "out").exists()


def test_spinal_cord_stored_sagittally_comes_back_in_its_place(tmp_path, shared_data):
    (path,) = (shared_data / "sct-cord").rglob("T2w.nii*")
    assert_same_place(saved(path, tmp_path), nib.load(path))
