"""``python -m bundle inspect FILE`` tells in some ten lines what a file of raw k-space or of an image holds."""

from __future__ import annotations

import nibabel as nib
import numpy as np
import pytest
from PIL import Image

from bundle.__main__ import main
from bundle.kspace.inspect import inspect
from tests.dicom_series import write_dicom_pair
from tests.kspace.raw_files import kspace_of, slices_of_a_head, write_array, write_fastmri


@pytest.fixture
def undersampled(tmp_path) -> str:
    """A knee of 372 columns, every fourth and 30 in the middle."""
    mask = np.zeros(372, dtype=bool)
    mask[2::4] = mask[171:201] = True
    phase = np.exp(1j * np.linspace(-1, 2, 372))
    kspace = kspace_of(slices_of_a_head(2, 40, 372) * phase, 2) * mask
    return str(write_fastmri(tmp_path / "knee.h5", kspace, 32, mask=mask))


def test_raw_kspace_is_told_in_ten_lines_with_a_picture(undersampled, tmp_path, capsys):
    assert main(["inspect", undersampled, "--output", str(tmp_path / "found.png")]) == 0
    said = dict((line[:16].strip(), line[16:]) for line in capsys.readouterr().out.splitlines())
    assert len(said) == 11 and said["picture"] == str(tmp_path / "found.png")
    assert said["file"] == "knee.h5: raw k-space, fastMRI" and said["contrast"] == "CORPD_FBK"
    assert said["matrix"] == "2 slices, 2 coils, 40 rows x 372 columns"
    assert said["image"].startswith("32 x 32 voxels from the middle, 1 x 1 x 4.5 mm; max ")
    assert said["acquired"] == "116 of 372 columns, 40 of 40 rows"
    assert said["acceleration"].startswith("nominal 4, effective 3.21 ")
    assert said["partial Fourier"] == "none" and said["symmetry"].startswith("not Hermitian")
    assert said["centre"].startswith("40 rows x 31 columns fully sampled; peak at row 20, column ")
    assert "its mask agrees with the data" in said["remarks"]
    with Image.open(tmp_path / "found.png") as picture:
        assert picture.size[0] > 1000 and np.asarray(picture).std() > 10


def test_kspace_made_from_a_magnitude_image_is_called_so_and_the_files_own_image_compared(tmp_path, head):
    said = dict(inspect(str(write_fastmri(tmp_path / "x.h5", kspace_of(head), 32))))
    assert said["symmetry"].startswith("Hermitian: made from a real image")
    assert said["remarks"].startswith("the file's own reconstruction is the root sum of squares of this k-space")
    odd = kspace_of(slices_of_a_head(1, 33, 47))
    assert dict(inspect(str(write_array(tmp_path / "odd.npy", odd[:, None]))))["symmetry"].startswith("Hermitian")


def test_padding_and_partial_fourier_have_words_of_their_own(tmp_path, coil_kspace):
    partial = coil_kspace.copy()
    partial[..., :8], partial[..., 34:], partial[:, :, :20] = 0, 0, 0
    said = dict(inspect(str(write_array(tmp_path / "x.npy", partial))))
    assert said["acquired"].endswith("zero-padded: 4 columns, which count in no acceleration")
    assert said["partial Fourier"] == "phase encoding, 26 of 32 lines; asymmetric echo, 44 of 64 lines"
    assert "effective 1 " in said["acceleration"]


def test_real_points_of_eight_coils_are_told(shared_data, tmp_path):
    kspace = np.load(shared_data / "raw-kspace" / "sigpy-brain-8ch" / "kspace.npy")
    described = {"axes": ["coil", "row", "column"], "contrast": "T1"}
    said = dict(inspect(str(write_array(tmp_path / "brain.npy", kspace, **described))))
    assert said["matrix"] == "1 slice, 8 coils, 230 rows x 180 columns"
    assert said["acquired"] == "5148 of 41400 points, not in lines" and "effective 8.04" in said["acceleration"]
    assert said["symmetry"].startswith("not Hermitian") and "peak at row 114, column 91" in said["centre"]


def test_an_image_is_told_with_its_interpolation(tmp_path):
    image = np.random.RandomState(0).normal(size=(64, 64, 3)).cumsum(axis=0).astype(np.float32)
    path = tmp_path / "x.nii.gz"
    nib.save(nib.Nifti1Image(np.abs(image), np.diag([1.0, 1, 4, 1])), path)
    said = dict(inspect(str(path), str(tmp_path / "x.png")))
    assert said["matrix"] == "64 x 64 x 3 voxels of 1 x 1 x 4 mm; no coils" and (tmp_path / "x.png").exists()
    assert "none found along its columns" in said["interpolation"]


def test_a_dicom_series_is_called_so_and_one_of_several_is_asked_for_by_number(tmp_path, capsys):
    write_dicom_pair(tmp_path)
    assert dict(inspect(str(tmp_path / "T2")))["file"] == "T2: a magnitude image, DICOM series"
    assert main(["inspect", str(tmp_path)]) == 1
    assert "choose one by its number or UID with series, as --series 3 on" in capsys.readouterr().err
    assert main(["inspect", str(tmp_path), "--series", "5"]) == 0
    assert "32 x 40 x 6 voxels" in capsys.readouterr().out
    assert main(["inspect", str(tmp_path / "x.nii"), "--series", "5"]) == 1
    assert "series chooses a DICOM series of a folder, but " in capsys.readouterr().err


@pytest.mark.parametrize(
    ("output", "said"),
    [
        ("there.png", "there.png is there already; name another --output"),
        ("x.jpg", "The picture is a PNG file, named .png, not "),
        ("there.png/x.png", "The output folder .* cannot be written"),
    ],
)
def test_a_picture_that_cannot_be_written_is_one_sentence(undersampled, tmp_path, capsys, output, said):
    (tmp_path / "there.png").write_text("earlier")
    assert main(["inspect", undersampled, "--output", str(tmp_path / output)]) == 1
    found = capsys.readouterr()
    assert found.out == "" and len(found.err.splitlines()) == 1
    assert (tmp_path / "there.png").read_text() == "earlier"


def test_a_file_that_is_none_of_these_is_one_sentence(tmp_path, capsys):
    assert main(["inspect", str(tmp_path / "x.dat")]) == 1
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith("Error: ") and "x.dat" in line
    (tmp_path / "x.txt").write_text("hello")
    assert main(["inspect", str(tmp_path / "x.txt")]) == 1
    assert "x.txt is no file that is looked into: raw k-space is named .h5, " in capsys.readouterr().err
