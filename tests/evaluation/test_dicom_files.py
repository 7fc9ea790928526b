"""A reconstruction's DICOM series lies where the T2 series lies, says what it is, and is whole or not there."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import nibabel as nib
import numpy as np
import pydicom
import pytest
import torch
from monai.data import MetaTensor
from pydicom.dataset import Dataset, FileMetaDataset

from bundle.data.inference_pair import inference_items
from bundle.data.reading import read_volume
from bundle.errors import BundleError
from bundle.evaluation.dicom_files import check_series_output, check_series_outputs, write_series
from bundle.evaluation.dicom_headers import origin_of
from bundle.evaluation.volume_files import write_volume
from tests.dicom_series import T2_SHAPE, T2_SPACING, affine_of, write_dicom_pair
from tests.dicom_series import write_series as write_source
from tests.nifti_pairs import write_pair

SHA256 = "0123456789abcdef" * 4
AFFINE = affine_of(T2_SHAPE, T2_SPACING)
VOXELS = np.random.default_rng(1).uniform(-1, 900, T2_SHAPE).astype(np.float32)


def volume(voxels: np.ndarray = VOXELS) -> MetaTensor:
    return MetaTensor(torch.from_numpy(voxels)[None], affine=torch.from_numpy(AFFINE))


def report_of(t1: str, t2: str, **settings) -> dict:
    """As an inference makes it."""
    (item,) = inference_items(t1, t2, "")
    files = {key: value for key, value in item.items() if key != "subject"}
    scan = {"visible": ["t1", "t2"], "pattern": "random", "noise_level": 0.1, "noise_unit": "mean", "phase_level": 0}
    return {
        "files": files,
        "settings": scan | settings,
        "alignment": {"note": "registered"},
        "sampled_acceleration": 5.987,
        "weights": {"network": "MANet", "sha256": SHA256},
    }


def read(folder: str | Path) -> list[pydicom.Dataset]:
    return [pydicom.dcmread(path) for path in sorted(Path(folder).iterdir())]


@pytest.fixture(scope="module")
def pair(tmp_path_factory) -> tuple[str, str]:
    return write_dicom_pair(tmp_path_factory.mktemp("pair"))


@pytest.fixture(scope="module")
def written(pair, tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("out") / "new" / "recon"
    write_series(folder, volume(), report_of(*pair))
    return folder


def test_intensities_come_back_rounded_and_clamped_where_the_t2_slices_lie(pair, written):
    back = read_volume(written)
    np.testing.assert_array_equal(back.numpy()[0], np.rint(VOXELS.clip(0)))
    np.testing.assert_array_equal(back.affine, read_volume(pair[1]).affine)
    assert not any("RescaleSlope" in image for image in read(written))


def test_patient_study_and_place_are_the_sources_and_series_and_images_are_new(pair, written):
    new, old = read(written), read(pair[1])
    kept = """PatientName PatientID StudyInstanceUID StudyDate FrameOfReferenceUID ImagePositionPatient PixelSpacing
    ImageOrientationPatient SliceThickness InstanceNumber EchoTime WindowCenter SOPClassUID Manufacturer""".split()
    assert [[image.get(name) for name in kept] for image in new] == [
        [image.get(name) for name in kept] for image in old
    ]
    ours = {image.SOPInstanceUID for image in new}
    assert len(ours) == len(old) and ours.isdisjoint(image.SOPInstanceUID for image in old)
    assert len({image.SeriesInstanceUID for image in new} - {old[0].SeriesInstanceUID}) == 1
    assert {image.SeriesNumber for image in new} == {501}
    assert all(image.file_meta.MediaStorageSOPInstanceUID == image.SOPInstanceUID for image in new)
    assert not any("SmallestImagePixelValue" in image or "LargestImagePixelValue" in image for image in new)


def test_each_slice_says_that_it_is_research_how_it_was_made_and_from_what(pair, written):
    t1, t2 = (read(folder) for folder in pair)
    for image, source in zip(read(written), t2):
        assert list(image.ImageType) == ["DERIVED", "PRIMARY", "M", "SE"]
        assert image.SeriesDescription == "Research reconstruction, undersampled 5.99x, weights 01234567"
        for words in ("Research reconstruction from undersampled data", "5.99x", SHA256, "MANet", "T1 was registered"):
            assert words in image.DerivationDescription
        uids = [item.ReferencedSOPInstanceUID for item in image.SourceImageSequence]
        assert uids == [source.SOPInstanceUID, *(slice_.SOPInstanceUID for slice_ in t1)]
        (equipment,) = image.ContributingEquipmentSequence
        assert equipment.ManufacturerModelName == "MANet bundle" and equipment.SoftwareVersions


@pytest.mark.parametrize(
    ("scan", "said"),
    [
        ({}, "(pattern random, noise 0.1 of the mean voxel)"),
        ({"noise_unit": "foreground_mean"}, "noise 0.1 of the mean foreground voxel)"),
        ({"noise_unit": "snr_db", "noise_level": 20, "phase_level": 0.5}, "ratio 20 dB, smooth phase of 0.5 rad)"),
    ],
)
def test_noise_is_told_in_its_unit_and_a_phase_where_there_is_one(pair, scan, said):
    assert said in origin_of(report_of(*pair, **scan), 5, [], 1.0).series["DerivationDescription"]


def test_a_hidden_t1_or_one_of_another_format_is_no_source(pair, tmp_path):
    nifti, _ = write_pair(tmp_path, "x")
    for name, report in (("a", report_of(*pair, visible=["t2"])), ("b", report_of(nifti, pair[1]))):
        write_series(tmp_path / name, volume(), report)
        assert {len(image.SourceImageSequence) for image in read(tmp_path / name)} == {1}


@pytest.mark.parametrize("factor", [1e-4, 300.0])
def test_intensities_that_whole_numbers_cannot_hold_are_scaled(pair, tmp_path, factor):
    write_series(tmp_path / "out", volume(VOXELS * np.float32(factor)), report_of(*pair))
    back, unit = read_volume(tmp_path / "out").numpy()[0], 900 * factor / 65535
    np.testing.assert_allclose(back, VOXELS.clip(0) * factor, atol=0.51 * unit)


@pytest.mark.filterwarnings("ignore:The value length")  # of the PatientID below
def test_what_belongs_to_the_sources_voxels_is_dropped_whatever_its_encoding(tmp_path):
    def vendor(image, place):
        image.RescaleSlope, image.RescaleIntercept, image.RescaleType = 0.5 + place, 0, "US"
        image.private_block(0x0029, "ACME", create=True).add_new(1, "LO", "of the scanner")
        image.add_new(0x60000010, "US", 4)
        image.PixelRepresentation, image.PixelPaddingValue = 1, -1
        image.PatientID = "7" * 70  # longer than the standard allows, as some scanners write it
        del image.StudyID

    t1, (first, *_) = write_dicom_pair(tmp_path)[0], write_source(tmp_path / "B", VOXELS.clip(0), AFFINE, change=vendor)
    for path in first.parent.iterdir():
        image = pydicom.dcmread(path)
        image.file_meta.TransferSyntaxUID = pydicom.uid.ImplicitVRLittleEndian
        image.save_as(path, implicit_vr=True, little_endian=True)
    write_series(tmp_path / "out", volume(), report_of(t1, str(first.parent)))
    for image in read(tmp_path / "out"):
        assert image.file_meta.TransferSyntaxUID == pydicom.uid.ExplicitVRLittleEndian and image.StudyID == ""
        assert not {"RescaleSlope", "RescaleType", "PixelPaddingValue"} & {element.keyword for element in image}
        assert not any(tag.is_private or tag.group == 0x6000 for tag in image.keys())
        assert (image.PixelRepresentation, image.PatientID) == (0, "7" * 70)
    np.testing.assert_array_equal(read_volume(tmp_path / "out").numpy()[0], np.rint(VOXELS.clip(0)))


def test_a_source_in_big_endian_is_written_with_the_same_numbers_as_one_in_little(pair, tmp_path):
    def in_series(image, place):
        item = Dataset()
        item.ReferencedFrameNumber, item.ReferencedSOPClassUID = "3", pydicom.uid.MRImageStorage
        item.StageNumber, item.LowRRValue = "2", "70"
        item.RecommendedDisplayFrameRate, item.Rows = "4", 517  # of two bytes each
        image.ReferencedImageSequence, image.EchoNumbers, image.InversionTime = [item], "1", "5"

    kept = {}
    for order in ("little", "big"):
        source = tmp_path / order
        for path in write_source(source, VOXELS, AFFINE, change=in_series):
            if order == "big":
                image = pydicom.dcmread(path)
                voxels = image.pixel_array.astype(">u2").tobytes()
                fresh = Dataset({element.tag: element for element in image})
                fresh.PixelData = voxels
                fresh.file_meta = FileMetaDataset()
                fresh.file_meta.TransferSyntaxUID = pydicom.uid.ExplicitVRBigEndian
                fresh.save_as(path, enforce_file_format=True)
        write_series(tmp_path / f"{order}_recon", volume(), report_of(pair[0], str(source)))
        images = read(tmp_path / f"{order}_recon")
        kept[order] = [(image.Rows, image.ReferencedImageSequence[0].Rows, image.pixel_array.sum()) for image in images]
    assert kept["big"] == kept["little"] and kept["big"][0][1] == 517


def test_an_earlier_series_is_replaced_whole_or_stays_and_the_source_stays(pair, tmp_path, monkeypatch):
    before = {path: path.read_bytes() for folder in pair for path in Path(folder).iterdir()}
    write_series(tmp_path / "out", volume(), report_of(*pair))
    earlier = read(tmp_path / "out")[0].SOPInstanceUID
    saved, count = pydicom.Dataset.save_as, iter(range(9))

    def full(image, path, **options):
        saved(image, path, **options)
        if next(count) == 3:
            raise OSError(28, "No space left on device")

    with monkeypatch.context() as broken, pytest.raises(BundleError, match="Cannot write .*No space left.*MB are free"):
        broken.setattr(pydicom.Dataset, "save_as", full)
        write_series(tmp_path / "out", volume(), report_of(*pair))
    assert [path.name for path in tmp_path.iterdir()] == ["out"]
    assert read(tmp_path / "out")[0].SOPInstanceUID == earlier
    write_series(tmp_path / "out", volume(), report_of(*pair))
    assert len(read(tmp_path / "out")) == 6 and read(tmp_path / "out")[0].SOPInstanceUID != earlier
    assert [path.name for path in tmp_path.iterdir()] == ["out"]
    assert {path: path.read_bytes() for folder in pair for path in Path(folder).iterdir()} == before


def test_a_nifti_file_of_a_series_lies_in_the_scanners_coordinates(pair, tmp_path):
    image = volume()
    image.meta["t2_file"] = pair[1]
    write_volume(tmp_path / "x.nii", image)
    nifti = nib.load(tmp_path / "x.nii")
    np.testing.assert_array_equal(nifti.get_fdata(), VOXELS)
    for affine, code in (nifti.get_sform(coded=True), nifti.get_qform(coded=True)):
        np.testing.assert_allclose(affine, read_volume(pair[1]).affine, atol=1e-4)
        assert code == 1


def test_a_source_that_changed_meanwhile_is_told(pair, tmp_path):
    with pytest.raises(BundleError, match="was changed while its reconstruction was computed; run again"):
        write_series(tmp_path / "out", volume(VOXELS[..., :4]), report_of(*pair))
    assert list(tmp_path.iterdir()) == []


def test_what_cannot_be_written_is_refused_before_anything_is_computed(pair, tmp_path):
    (item,) = inference_items(*pair, "")
    (tmp_path / "file").touch()
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "thesis.tex").touch()
    nifti = {"subject": "x", "t1": "x-T1.nii", "t2": "x-T2.nii"}
    of_ct = write_source(tmp_path / "ct", VOXELS.clip(0), AFFINE, change=lambda image, place: as_ct(image))[0].parent
    (ct,) = inference_items(pair[0], str(of_ct), "")
    for folder, what, said in (
        (
            "out",
            nifti,
            "T2 is no DICOM series: x-T2.nii; give the folder of one as t2, or leave output_format at nifti",
        ),
        ("out", ct, r"ct \(DICOM series 5 't2_tse_tra'\) is of CT Image Storage, not MR Image Storage"),
        (Path(pair[0], "out"), item, f"would lie in the folder of t1, {pair[0]}, and be read as part of it"),
        (pair[1], item, "would lie in the folder of t2"),
        ("file", item, "file, where a DICOM series is to be written, is a file"),
        ("mine", item, "mine holds other things than a reconstructed DICOM series, as thesis.tex, and is not replaced"),
    ):
        with pytest.raises(BundleError, match=said):
            check_series_output(tmp_path / folder, what)
    with pytest.raises(BundleError, match="no DICOM series"):
        check_series_outputs([nifti], str(tmp_path), "recon", "dicom")
    check_series_outputs([nifti], str(tmp_path), "recon", "nifti")
    check_series_output(tmp_path / "out", item)


def test_only_an_earlier_reconstruction_is_replaced_not_a_scanners_series_of_the_same_names(pair, written, tmp_path):
    (item,) = inference_items(*pair, "")
    check_series_output(written, item)
    for path in write_source(tmp_path / "scanner", VOXELS.clip(0), AFFINE):
        path.rename(path.with_name(f"{path.name}.dcm"))
    (tmp_path / "damaged").mkdir()
    (tmp_path / "damaged" / "IM0001.dcm").write_bytes(b"no DICOM")
    for name in ("scanner", "damaged"):
        with pytest.raises(BundleError, match="holds other things .* as IM0001.dcm, and is not replaced"):
            check_series_output(tmp_path / name, item)


def as_ct(image) -> None:
    image.SOPClassUID = pydicom.uid.CTImageStorage


@pytest.mark.skipif(not shutil.which("dciodvfy"), reason="dicom3tools are not installed")
def test_dicom3tools_find_no_error(written):
    files = sorted(written.iterdir())
    said = [subprocess.run(["dciodvfy", file], capture_output=True, text=True).stderr for file in files]
    said.append(subprocess.run(["dcentvfy", *files], capture_output=True, text=True).stderr)
    assert "MRImage" in said[0] and not any("Error" in text for text in said)
