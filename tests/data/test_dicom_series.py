"""A DICOM series is the volume that ITK reads, slice by slice in its own scale, or one sentence says what is amiss."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pydicom
import pytest
from monai.data import ITKReader

from bundle.data.dicom_folders import choose_series
from bundle.data.dicom_series import read_series, series_flaw
from bundle.data.inference_pair import inference_items
from bundle.data.reading import read_volume
from bundle.errors import BundleError
from tests.dicom_series import T2_SHAPE, T2_SPACING, affine_of, write_series
from tests.nifti_pairs import write_pair

AFFINE = affine_of(T2_SHAPE, T2_SPACING)
VOXELS = np.random.default_rng(0).integers(0, 900, T2_SHAPE)


@pytest.fixture
def folder(tmp_path) -> Path:
    return tmp_path / "T2"


def test_an_oblique_series_with_oblong_pixels_lies_where_itk_puts_it_whatever_its_files_names(folder):
    paths = write_series(folder, VOXELS, AFFINE)
    for path, name in zip(paths, "fbadce"):
        path.rename(folder / name)
    volume = read_volume(folder)
    np.testing.assert_array_equal(volume.numpy(), VOXELS[None])
    np.testing.assert_allclose(volume.affine, AFFINE, atol=1e-6)
    reader = ITKReader(affine_lps_to_ras=True)
    voxels, meta = reader.get_data(reader.read(folder))
    np.testing.assert_array_equal(volume.numpy()[0], voxels)
    np.testing.assert_allclose(volume.affine, meta["affine"], atol=1e-6)


def test_a_slope_that_differs_by_slice_counts_for_its_slice(folder):
    def scale(image, place):
        image.RescaleSlope, image.RescaleIntercept, image.RescaleType = 0.25 * (place + 1), 3 * place, "US"

    write_series(folder, VOXELS, AFFINE, change=scale)
    expected = VOXELS * 0.25 * (np.arange(6) + 1) + 3 * np.arange(6)
    np.testing.assert_allclose(read_volume(folder).numpy()[0], expected, rtol=1e-6)


@pytest.mark.parametrize("limit", [None, 60000])
def test_what_the_header_calls_padding_is_no_signal(folder, caplog, limit):
    stored = VOXELS.copy()
    stored[:2], stored[2, 0, 0] = 65535, 60001

    def pad(image, place):
        image.PixelPaddingValue, image.PixelPaddingRangeLimit = 65535, limit
        image.RescaleIntercept, image.RescaleSlope = 5, 1

    write_series(folder, stored, AFFINE, change=pad)
    with caplog.at_level("INFO"):
        voxels = read_volume(folder).numpy()[0]
    padding = stored == 65535 if limit is None else stored >= limit
    np.testing.assert_array_equal(voxels, np.where(padding, 0, stored + 5.0))
    assert f"{padding.sum()} voxels of padding (PixelPaddingValue), outside the image, set to 0" in caplog.text


@pytest.mark.parametrize("syntax", ["ImplicitVRLittleEndian", "RLELossless"])
def test_other_transfer_syntaxes_are_decoded(folder, syntax):
    for path in write_series(folder, VOXELS, AFFINE):
        image = pydicom.dcmread(path)
        if syntax == "RLELossless":
            image.compress(pydicom.uid.RLELossless, generate_instance_uid=False)
        image.file_meta.TransferSyntaxUID = getattr(pydicom.uid, syntax)
        image.save_as(path, implicit_vr=syntax.startswith("Implicit"), little_endian=True)
    np.testing.assert_array_equal(read_volume(folder).numpy()[0], VOXELS)


def move(place_of: int, by: list[float]):
    def change(image, place):
        if place == place_of:
            image.ImagePositionPatient = [value + shift for value, shift in zip(image.ImagePositionPatient, by)]

    return change


def shear(image, place):
    image.ImagePositionPatient = [image.ImagePositionPatient[0] + place, *image.ImagePositionPatient[1:]]


def setting(place_of: int | None = None, **values):
    def change(image, place):
        for keyword, value in values.items() if place_of in (None, place) else ():
            setattr(image, keyword, value)

    return change


def one_place(image, place):
    image.ImagePositionPatient = [0, 0, 8 * (place // 2)]
    image.ImageOrientationPatient = [1, 0, 0, 0, 1, 0]


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (setting(NumberOfFrames=24), r"holds the multi-frame file IM0001 \(24 frames\); convert it"),
        (setting(ImageType=["DERIVED", "PRIMARY", "MOSAIC"]), "holds the mosaic IM0001; convert it"),
        (setting(4, PhotometricInterpretation="MONOCHROME1"), r"holds IM0005 in colour or inverted \(MONOCHROME1\)"),
        (setting(2, ImagePositionPatient=None), "where IM0003 lies: its ImagePositionPatient is missing or no 3 num"),
        (setting(1, Rows=20), "slices of different size: IM0001 has 32 40, IM0002 has 32 20; give those"),
        (
            setting(5, ImageOrientationPatient=[1, 0, 0, 0, 1, 0]),
            "slices of different orientation: .* IM0006 has 1 0 0 0",
        ),
        (setting(3, PixelSpacing=[1, 1]), "slices of different pixel spacing: IM0001 has 4 3.5, IM0004 has 1 1"),
        (setting(PixelSpacing=[0, 0]), "singular affine"),
        (one_place, "holds 6 images in 3 places, as of several times"),
        (move(3, [0, 0, 2.0]), "is not evenly spaced: from IM0003 to IM0004 it is 9.933 mm, elsewhere 8 mm"),
        (shear, "slices that are shifted sideways"),
    ],
)
def test_what_is_no_volume_is_told_in_one_clause(folder, change, said):
    write_series(folder, VOXELS, AFFINE, change=change)
    series = choose_series(folder)
    with pytest.raises(BundleError, match=said) as raised:
        read_series(series)
    assert str(raised.value) == f"{folder} (DICOM series 5 't2_tse_tra') {series_flaw(series)}."


def test_a_missing_slice_is_found_between_its_neighbours_and_a_single_one_is_no_volume(folder):
    paths = write_series(folder, VOXELS, AFFINE)
    paths[4].unlink()
    with pytest.raises(BundleError, match="from IM0004 to IM0006 it is 16 mm, elsewhere 8 mm; a slice is missing"):
        read_volume(folder)
    for path in paths[1:4]:
        path.unlink()
    assert series_flaw(choose_series(folder)) == ""  # two slices are as even as can be
    paths[5].unlink()
    assert series_flaw(choose_series(folder)).startswith("is no volume: its shape is (32, 40, 1)")


def test_voxels_that_are_cut_short_are_told_with_the_file(folder):
    path = write_series(folder, VOXELS, AFFINE)[2]
    path.write_bytes(path.read_bytes()[:-100])
    with pytest.raises(BundleError, match="IM0003 cannot be read: its voxels are cut short or damaged; copy or"):
        read_volume(folder)


def test_an_inference_takes_folders_and_names_its_outputs_after_that_of_t2(tmp_path):
    write_series(tmp_path / "study" / "1", VOXELS, AFFINE, 3, "t1_se_tra")
    write_series(tmp_path / "study" / "2", VOXELS, AFFINE)
    study, (nifti, _) = str(tmp_path / "study"), write_pair(tmp_path, "x")
    (item,) = inference_items(study, study + "/", "", t1_series=3, t2_series="5")
    assert item["subject"] == "study" and item["t1_series"] != item["t2_series"]
    (item,) = inference_items(nifti, study, "", t2_series=5)
    assert "t1_series" not in item
    for given, said in (
        ((nifti, f"{study}/2/IM0001", ""), "IM0001 is one DICOM file; give the folder of its series"),
        ((nifti, study, "", "test", None, None), "holds 2 DICOM series: 3 .* --t2_series 3 on"),
        (
            (nifti, study, "", "test", 3, 5),
            "t1_series chooses a DICOM series of a folder, but t1 is no folder: .*T1.nii",
        ),
        ((study, study, "", "test", 3, 3), "T1 and T2 are the same image"),
    ):
        with pytest.raises(BundleError, match=said):
            inference_items(*given)
