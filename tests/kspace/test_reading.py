"""Files with the schemas of fastMRI, M4Raw, ISMRMRD and numpy, made from known images, give the images back."""

from __future__ import annotations

import sys

import h5py
import numpy as np
import pytest

from bundle.errors import BundleError
from bundle.fourier import ifft2c
from bundle.kspace import RawScan, read_kspace
from tests.kspace.raw_files import (
    header,
    kspace_of,
    middle,
    slices_of_a_head,
    write_array,
    write_fastmri,
    write_ismrmrd,
    write_m4raw,
)


def magnitude(scan: RawScan) -> np.ndarray:
    """Root sum of squares, cropped as the file says."""
    images = ifft2c(scan.kspace).abs().square().sum(dim=1).sqrt().numpy()
    return middle(images, *scan.crop)


@pytest.mark.parametrize("width", [372, 368, 322])
def test_a_single_coil_knee_of_any_width_gives_its_image_and_file_back(tmp_path, width):
    image = slices_of_a_head(2, 40, width)
    scan = read_kspace(write_fastmri(tmp_path / "file1000323.h5", kspace_of(image), 32, norm=None))
    assert scan.kspace.shape == (2, 1, 40, width) and scan.crop == (32, 32)
    np.testing.assert_allclose(magnitude(scan), middle(image, 32, 32), atol=1e-3)
    np.testing.assert_allclose(magnitude(scan), scan.reference, atol=1e-3)
    assert (scan.kind, scan.contrast, scan.name) == ("fastMRI", "CORPD_FBK", "file1000323")
    assert scan.sampling.is_full and scan.spacing == pytest.approx((1, 1, 4.5)) and scan.scaling.keys() == {"max"}


@pytest.mark.parametrize("matrix", [72, 18])
@pytest.mark.parametrize("with_image", [False, True])
def test_of_an_image_of_other_voxels_the_field_of_view_is_kept_in_those_of_the_scan(tmp_path, matrix, with_image):
    image = slices_of_a_head(2, 64, 40)
    path = write_fastmri(tmp_path / "a.h5", kspace_of(image), 36, mask=np.ones(40, dtype=bool))
    with h5py.File(path, "r+") as file:
        del file["ismrmrd_header"]
        file["ismrmrd_header"] = header(64, 40, matrix, field=36).encode()
        if with_image:
            file["reconstruction_esc"] = np.zeros((2, matrix, matrix), np.float32)
    scan = read_kspace(path)
    assert scan.crop == (36, 36) and scan.spacing == pytest.approx((1, 1, 4.5))
    assert any(f"image, {matrix} x {matrix}, has other voxels than the scan" in remark for remark in scan.remarks)
    np.testing.assert_allclose(magnitude(scan), middle(image, 36, 36), atol=1e-3)


def test_coils_are_read_and_the_headers_padding_is_where_the_data_are_zero(tmp_path, head, coil_kspace):
    coil_kspace = coil_kspace.copy()
    coil_kspace[..., :3] = coil_kspace[..., 33:] = 0
    scan = read_kspace(write_fastmri(tmp_path / "brain.h5", coil_kspace, 28, lines=30))
    assert scan.kspace.shape == (3, 4, 64, 36)
    assert (scan.sampling.columns.first, scan.sampling.columns.last, scan.sampling.columns.padded) == (3, 32, 6)
    np.testing.assert_allclose(magnitude(scan), scan.reference, rtol=1e-4, atol=1e-3)


def test_an_attribute_that_is_no_finite_number_is_none(tmp_path):
    path = write_fastmri(tmp_path / "a.h5", kspace_of(slices_of_a_head(2, 40, 36)), 32, max=np.nan, norm="1.0 or so")
    assert read_kspace(path).scaling == {}


def test_a_header_that_would_blank_a_single_coil_file_blanks_nothing(tmp_path, head):
    scan = read_kspace(write_fastmri(tmp_path / "x.h5", kspace_of(head), 32, lines=4))
    np.testing.assert_allclose(magnitude(scan), middle(head, 32, 32), atol=1e-3)
    assert any("nothing is blanked" in remark for remark in scan.remarks) and scan.sampling.is_full


def test_the_mask_is_what_holds_data_and_the_files_own_is_compared_with_it(tmp_path, coil_kspace):
    mask = np.zeros(36, dtype=bool)
    mask[::4] = mask[14:22] = True
    path = write_fastmri(tmp_path / "a.h5", coil_kspace * mask, 32, mask=mask, acceleration=4)
    scan = read_kspace(path)
    assert np.array_equal(scan.sampling.acquired, np.tile(mask, (64, 1))) and scan.reference is None
    assert scan.sampling.nominal == 4 and "its mask agrees with the data" in scan.remarks
    other = read_kspace(write_fastmri(tmp_path / "b.h5", coil_kspace, 32, mask=mask))
    assert (
        other.sampling.is_full and "its mask leaves out 21 columns that hold data; the data are taken" in other.remarks
    )


def test_the_prostates_averages_that_share_the_lines_out_are_one_kspace(tmp_path, coil_kspace):
    averages = np.stack([coil_kspace, coil_kspace, coil_kspace])
    averages[0::2, ..., 1::2] = averages[1, ..., 0::2] = 0
    scan = read_kspace(write_fastmri(tmp_path / "p.h5", averages[0], 32))
    assert scan.sampling.effective == pytest.approx(2)
    with h5py.File(tmp_path / "p.h5", "a") as file:
        del file["kspace"]
        file["kspace"] = averages
    scan = read_kspace(tmp_path / "p.h5")
    assert scan.sampling.is_full and scan.remarks[0].startswith("3 averages; ")
    np.testing.assert_allclose(scan.kspace.numpy(), coil_kspace, atol=1e-4)


def test_a_kspace_narrower_than_the_encoded_matrix_is_padded_to_it_about_the_middle(tmp_path, head):
    path = write_fastmri(tmp_path / "x.h5", kspace_of(head), 32)
    with h5py.File(path, "a") as file:
        narrow = file["kspace"][..., 4:-4]
        del file["kspace"]
        file["kspace"] = narrow
    scan = read_kspace(path)
    assert scan.kspace.shape[-1] == 36 and scan.sampling.columns.padded == 8
    np.testing.assert_array_equal(scan.kspace[:, 0, :, 4:-4].numpy(), narrow)


def test_m4raws_header_peak_and_columns_are_found(tmp_path):
    image = slices_of_a_head(2, 64, 64)
    ramp = np.exp(2j * np.pi * (2 * np.arange(64)[:, None] - 3 * np.arange(64)) / 64)  # moves the peak
    kspace = kspace_of(image * ramp, 4)
    kspace[..., :8] = kspace[..., 57:] = 0
    path = write_m4raw(tmp_path / "2022061003_T201.h5", kspace)
    with h5py.File(path) as file:
        assert b"ns0:ismrmrdHeader" in file["ismrmrd_header"][()] and b"31.25KHz" in file["ismrmrd_header"][()]
    scan = read_kspace(path)
    assert (scan.kind, scan.contrast, scan.spacing[2]) == ("M4Raw", "AXT2", 5) and scan.crop == (64, 64)
    assert scan.sampling.peak == (34, 29) and scan.sampling.is_full and scan.sampling.columns.acquired == 49
    np.testing.assert_allclose(magnitude(scan), scan.reference, rtol=1e-4, atol=1e-3)


def test_m4raws_repetitions_are_averaged_by_the_name_without_number(tmp_path, coil_kspace):
    noise = np.random.RandomState(0).normal(size=(3, *coil_kspace.shape)).astype(np.float32)
    for number, part in enumerate(noise, start=1):
        write_m4raw(tmp_path / f"s_T1{number:02d}.h5", coil_kspace + part)
    write_m4raw(tmp_path / "s_T201.h5", coil_kspace)
    one, mean = read_kspace(tmp_path / "s_T102.h5"), read_kspace(tmp_path / "s_T1.h5")
    assert one.remarks[-1] == "one of 3 repetitions; s_T1.h5 names the mean of all"
    np.testing.assert_allclose(mean.kspace.numpy(), coil_kspace + noise.mean(axis=0), atol=1e-4)
    assert mean.name == "s_T1" and mean.contrast == "AXT1" and mean.spacing == one.spacing
    assert mean.remarks[0] == "mean of 3 repetitions, s_T101.h5, s_T102.h5, s_T103.h5"
    write_m4raw(tmp_path / "s_T104.h5", coil_kspace[:2])
    with pytest.raises(BundleError, match="s_T104.h5 are repetitions of one scan by their names, but .* name one"):
        read_kspace(tmp_path / "s_T1.h5")


def test_ismrmrds_readouts_are_sorted_into_kspace_and_lie_where_their_headers_say(tmp_path, coil_kspace):
    columns = np.r_[0:36:3, 15:21]
    scan = read_kspace(write_ismrmrd(tmp_path / "x.h5", coil_kspace, columns))
    mask = np.isin(np.arange(36), columns)
    np.testing.assert_allclose(scan.kspace.numpy(), coil_kspace * mask, atol=1e-5)  # two columns came twice
    assert scan.kind == "ISMRMRD" and scan.remarks == ("1 readouts of noise are left out",)
    assert scan.sampling.nominal == 3 and scan.sampling.columns.acquired == mask.sum()
    np.testing.assert_allclose(scan.affine @ [32, 18, 1, 1], [-10, -(20 - 3.6), 30 + 4.8, 1], atol=1e-4)
    np.testing.assert_allclose(scan.affine[:3, :2], [[0, -1], [-0.8, 0], [0.6, 0]], atol=1e-6)


def test_an_asymmetric_echo_of_ismrmrd_is_placed_by_its_centre_sample(tmp_path, coil_kspace):
    path = tmp_path / "x.h5"
    write_ismrmrd(path, coil_kspace[:1], np.arange(36), noise=False)
    with h5py.File(path, "a") as file:
        table = file["dataset/data"][()]
        short = table["data"].copy()
        for index, values in enumerate(table["data"]):
            short[index] = values.reshape(4, 64, 2)[:, 14:].ravel()
        table["data"] = short
        table["head"]["number_of_samples"], table["head"]["center_sample"] = 50, 18
        file["dataset/data"][...] = table
    scan = read_kspace(path)
    np.testing.assert_array_equal(scan.kspace[:, :, 14:].numpy(), coil_kspace[:1, :, 14:])
    assert scan.sampling.rows.is_partial and scan.sampling.is_full


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda one: setattr(one.idx, "contrast", one.idx.slice), "holds 3 contrasts; write each to a file of its own"),
        (lambda one: setattr(one.idx, "kspace_encode_step_2", one.idx.slice), r"holds 3 partitions \(3D\)"),
        (lambda one: one.setFlag(22), "readouts in both directions"),
        (lambda one: one.setFlag(19), "holds no readout of an image"),
        (
            lambda one: setattr(one.idx, "kspace_encode_step_1", 90),
            "step 90.* lies outside the header's matrix of 64 x 36",
        ),
        (lambda one: setattr(one, "center_sample", 3), "lies outside the header's matrix"),
    ],
)
def test_what_ismrmrd_may_hold_and_is_not_read_is_one_sentence(tmp_path, coil_kspace, change, said):
    path = write_ismrmrd(tmp_path / "x.h5", coil_kspace[:, :, :, :], np.array([17, 18]), change)
    with pytest.raises(BundleError, match=said):
        read_kspace(path)


def test_an_array_has_the_axes_that_its_json_says_and_the_usual_ones_without(tmp_path, coil_kspace):
    path = tmp_path / "x.npy"
    described = {"axes": ["row", "coil", "column"], "voxel_mm": [2, 3, 4], "contrast": "T2", "acceleration": 2}
    scan = read_kspace(write_array(path, coil_kspace[1].transpose(1, 0, 2), **described, crop=[32, 30]))
    np.testing.assert_array_equal(scan.kspace[0].numpy(), coil_kspace[1])
    assert scan.spacing == (2, 3, 4) and scan.crop == (32, 30) and scan.contrast == "T2"
    affine = np.diag([2.0, 3, 4, 1]).tolist()
    assert np.array_equal(read_kspace(write_array(path, coil_kspace, affine=affine)).affine, affine)
    path.with_suffix(".json").unlink()
    assert read_kspace(write_array(path, coil_kspace)).kspace.shape == coil_kspace.shape
    assert read_kspace(write_array(path, coil_kspace[0, 0])).kspace.shape == (1, 1, 64, 36)


AXES = {"axes": ["coil", "row", "column"]}


@pytest.mark.parametrize(
    ("description", "said"),
    [
        ({}, r'of shape \(4, 64, 36\), are not told, or wrongly; write them into .*x.json, as {"axes"'),
        ({"axes": ["coil", "row", "row"]}, "not told, or wrongly"),
        ({"axis": []}, "x.json: axis is not a key; known: axes, voxel_mm, affine, crop, contrast, acceleration"),
        (AXES | {"affine": [[1, 0]]}, "x.json: List should have at least 4 items"),
        (AXES | {"affine": [[1], [0, 1], [0], [0]]}, "List should have at least 4 items"),
        (AXES | {"affine": [[0] * 4] * 4}, "The affine in .*x.json is singular"),
        (AXES | {"voxel_mm": [0, 1, 1]}, "x.json: voxel_mm.0 should be greater than 0, not 0."),
        (AXES | {"crop": [0, 32]}, "crop.0 should be greater than 0, not 0."),
        (
            AXES | {"crop": [64, 37]},
            "The crop in .*x.json, 64 x 37, is larger than the matrix of .*, 64 rows x 36 columns",
        ),
        (AXES | {"acceleration": 0.5}, "acceleration should be greater than or equal to 1, not 0.5."),
    ],
)
def test_axes_that_are_not_told_are_asked_for(tmp_path, coil_kspace, description, said):
    with pytest.raises(BundleError, match=said):
        read_kspace(write_array(tmp_path / "x.npy", coil_kspace[0], **description))


def changed(path, change):
    """A fastMRI file after a change."""
    with h5py.File(path, "a") as file:
        change(file)
    return path


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda file: file.move("kspace", "data"), "has none of the schemas .* it holds data, "),
        (lambda file: file["kspace"].write_direct(np.full((3, 64, 36), np.nan, np.complex64)), "NaN or infinity"),
        (lambda file: file["kspace"].write_direct(np.zeros((3, 64, 36), np.complex64)), "zero throughout"),
        (
            lambda file: (file.pop("kspace"), file.create_dataset("kspace", data=np.ones((3, 4)))),
            "what came is float64",
        ),
        (lambda file: file["ismrmrd_header"].write_direct(np.array(b"<a>")), "is no XML"),
        (
            lambda file: (
                file.pop("ismrmrd_header"),
                file.create_dataset("ismrmrd_header", data=b'<!DOCTYPE a [<!ENTITY b "c">]><a>&b;</a>'),
            ),
            "declares entities or a DTD",
        ),
    ],
)
def test_what_a_fastmri_file_may_not_be_is_one_sentence(tmp_path, head, change, said):
    path = changed(write_fastmri(tmp_path / "x.h5", kspace_of(head), 32), change)
    with pytest.raises(BundleError, match=said) as raised:
        read_kspace(path)
    assert "\n" not in str(raised.value) and str(path) in str(raised.value)


@pytest.mark.parametrize("shape", [(), (7,), (32, 32), (0, 32, 32), (3, 0, 0), (2, 32, 32)])
def test_a_reconstruction_that_is_no_image_a_slice_is_left_out_and_told(tmp_path, head, shape):
    def change(file) -> None:
        del file["reconstruction_esc"]
        file["reconstruction_esc"] = np.ones(shape)

    scan = read_kspace(changed(write_fastmri(tmp_path / "x.h5", kspace_of(head), 32), change))
    assert scan.reference is None and scan.crop == (32, 32)
    assert scan.remarks[0].endswith("is not one image for each slice and is left out")


def replaced(name: str, value):
    """What puts another data set in the place of one; a dictionary is a group."""

    def change(file) -> None:
        file.pop(name, None)
        if isinstance(value, dict):
            file.create_group(name)
        else:
            file[name] = value

    return change


@pytest.mark.parametrize(("rows", "field", "spacing"), [(128, 32, 1), (128, 96, None), (100, 32, None), (128, None, 1)])
def test_of_oversampling_removed_the_field_of_view_is_cut_or_the_file_refused(tmp_path, head, rows, field, spacing):
    text = header(rows, 36, 32, field=field)
    if field is None:
        text = text.replace("<fieldOfView_mm>", "<fov>").replace("</fieldOfView_mm>", "</fov>")
    path = changed(write_fastmri(tmp_path / "x.h5", kspace_of(head), 32), replaced("ismrmrd_header", text.encode()))
    if spacing is None:
        with pytest.raises(BundleError, match=f"has 64 rows, by its header {rows}, and what field of view they cover"):
            read_kspace(path)
        return
    scan = read_kspace(path)
    assert scan.spacing[0] == spacing and scan.crop == (32, 32)
    assert "64 rows of the header's 128: readout oversampling was removed, and" in "; ".join(scan.remarks)


def test_more_rows_than_the_headers_are_smaller_voxels_and_told(tmp_path, head):
    text = header(32, 36, 32)
    path = changed(write_fastmri(tmp_path / "x.h5", kspace_of(head), 32), replaced("ismrmrd_header", text.encode()))
    scan = read_kspace(path)
    assert scan.spacing[0] == pytest.approx(0.5) and "64 rows, by its header 32: taken for" in "; ".join(scan.remarks)


def test_ismrmrds_readouts_without_oversampling_are_not_zero_filled(tmp_path, coil_kspace):
    path = write_ismrmrd(tmp_path / "x.h5", coil_kspace, np.arange(36), noise=False)
    with h5py.File(path, "a") as file:
        file["dataset/xml"][0] = header(128, 36, 64)
    scan = read_kspace(path)
    np.testing.assert_allclose(scan.kspace.numpy(), coil_kspace, atol=1e-5)
    assert scan.spacing == pytest.approx((1, 1, 6)) and scan.remarks[0].startswith("64 rows of the header's 128")
    np.testing.assert_allclose(scan.affine @ [32, 18, 0, 1], [-10, -20, 30, 1], atol=1e-4)


def test_a_field_of_view_below_a_voxel_is_one_sentence(tmp_path, head):
    text = header(64, 36, 32).replace("<x>32</x><y>32</y><z>4.5", "<x>0.032</x><y>0.032</y><z>4.5")
    path = changed(write_fastmri(tmp_path / "x.h5", kspace_of(head), 32), replaced("ismrmrd_header", text.encode()))
    with pytest.raises(BundleError, match="gives the image a field of view of .* mm, less than a voxel"):
        read_kspace(path)


@pytest.mark.parametrize("change", [replaced("mask", "abc"), replaced("ismrmrd_header", {})])
def test_a_fastmri_file_with_something_else_in_its_place_is_one_sentence(tmp_path, head, change):
    with pytest.raises(BundleError, match="x.h5 cannot be read: it is cut short, damaged, or not as its schema says"):
        read_kspace(changed(write_fastmri(tmp_path / "x.h5", kspace_of(head), 32), change))


def test_values_too_large_for_single_precision_are_refused_before_they_are_infinite(tmp_path, head):
    for size in (1e30, 1e60):
        with pytest.raises(BundleError, match="holds NaN or infinity, or values beyond 1e19"):
            read_kspace(write_array(tmp_path / "x.npy", kspace_of(head).astype(np.complex128)[:, None] * size))


@pytest.mark.parametrize("told", [-4, 0, np.nan])
def test_an_acceleration_below_1_is_none(tmp_path, head, told):
    assert read_kspace(write_fastmri(tmp_path / "x.h5", kspace_of(head), 32, acceleration=told)).sampling.nominal == 1


def head_with(name: str, value: int):
    def change(group) -> None:
        table = group["data"][()]
        table["head"][name] = value
        group["data"][...] = table

    return change


def one_empty(group) -> None:
    table = group["data"][()]
    table["data"][3] = np.zeros(0, np.float32)
    group["data"][...] = table


def header_with(old: str, new: str):
    def change(group) -> None:
        group["xml"][0] = group["xml"][0].decode().replace(old, new)

    return change


DAMAGED = "cannot be read: it is cut short, damaged"


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (head_with("active_channels", 3), DAMAGED),
        (head_with("active_channels", 0), DAMAGED),
        (one_empty, DAMAGED),
        (replaced("data", np.zeros((3, 4))), DAMAGED),
        (replaced("data", {}), DAMAGED),
        (replaced("xml", b"\xff\xfe<"), "is no XML"),
        (header_with("utf-8", "klingon"), DAMAGED),
        (header_with("<x>64</x><y>36</y><z>1", "<x>6400000</x><y>36000000</y><z>1"), "does not fit into this machine"),
    ],
)
def test_a_damaged_ismrmrd_file_is_one_sentence(tmp_path, coil_kspace, change, said):
    path = write_ismrmrd(tmp_path / "x.h5", coil_kspace, np.arange(36), noise=False)
    with h5py.File(path, "a") as file:
        change(file["dataset"])
    with pytest.raises(BundleError, match=said) as raised:
        read_kspace(path)
    assert "\n" not in str(raised.value) and str(path) in str(raised.value)


def test_without_a_header_voxels_are_of_1_mm_and_that_is_told(tmp_path, head):
    path = changed(write_fastmri(tmp_path / "x.h5", kspace_of(head), 32), lambda file: file.pop("ismrmrd_header"))
    scan = read_kspace(path)
    assert scan.spacing == (1, 1, 1) and scan.crop == (32, 32)
    assert scan.remarks[0] == "it has no ISMRMRD header" and "voxel sizes are unknown" in scan.remarks[1]


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        ("x.h5", None, "x.h5 does not exist"),
        ("x_T2.h5", None, "x_T2.h5 does not exist"),
        ("x.h5", b"\x89HDF\r\n\x1a\n and no more", "cut short, damaged"),
        ("x.npy", b"\x93NUMPY", "cut short, damaged"),
        ("x.dat", b"", "is no file of raw k-space, which is named .h5"),
    ],
)
def test_no_file_or_no_whole_one_is_one_sentence(tmp_path, name, content, said):
    if content is not None:
        (tmp_path / name).write_bytes(content)
    with pytest.raises(BundleError, match=said):
        read_kspace(tmp_path / name)


def test_a_package_that_is_not_installed_is_named(tmp_path, head, monkeypatch):
    path = write_fastmri(tmp_path / "x.h5", kspace_of(head), 32)
    monkeypatch.setitem(sys.modules, "h5py", None)
    with pytest.raises(
        BundleError, match="the package h5py, which is not installed; install it with: pip install h5py"
    ):
        read_kspace(path)
