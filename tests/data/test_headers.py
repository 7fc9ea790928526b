"""One judgement of a header: what it refuses, the reader and the search for pairs refuse in the same words."""

from __future__ import annotations

import gzip
import os
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest

from bundle.data.csv_pairs import read_csv
from bundle.data.folder_pairs import find_pairs
from bundle.data.headers import header_flaw
from bundle.data.reading import read_volume
from bundle.errors import BundleError

AFFINE = np.array([[-0.9, 0, 0, 80.0], [0, 0.9, 0.1, -90], [0, -0.1, 3, -20], [0, 0, 0, 1]])
VOXELS = np.random.default_rng(0).integers(0, 1000, (9, 11, 7)).astype(np.float32)
COLOUR = np.zeros((4, 5, 6), dtype=[("R", "u1"), ("G", "u1"), ("B", "u1")])


def save(path: Path, voxels: np.ndarray = VOXELS) -> Path:
    nib.save(nib.Nifti1Image(voxels, AFFINE), path)
    return path


def with_axes(path: Path, axes: list[list[float]]) -> None:
    """Write the affine's axes into the file: nibabel itself refuses to save such an affine."""
    raw = bytearray(gzip.decompress(save(path).read_bytes()))
    raw[280:328] = np.column_stack((axes, np.zeros(3))).astype("<f4").tobytes()  # srow_x, srow_y, srow_z
    path.write_bytes(gzip.compress(raw))


def with_intent(path: Path, code: int) -> None:
    image = nib.Nifti1Image(VOXELS.astype(np.int16), AFFINE)
    image.header["intent_code"] = code
    nib.save(image, path)


def with_bytes(path: Path, place: int, content: np.ndarray) -> None:
    """Write a field of the header that nibabel itself would not write so."""
    raw = bytearray(gzip.decompress(save(path).read_bytes()))
    raw[place : place + content.nbytes] = content.tobytes()
    path.write_bytes(gzip.compress(raw))


FLAWS = {
    "no dimensions": (lambda path: with_bytes(path, 40, np.array([0, 0, 0, 0], "<i2")), "is no volume: its shape is"),
    "one dimension": (lambda path: with_bytes(path, 40, np.array([1, 9], "<i2")), "is no volume: its shape is"),
    "fewer slices": (
        lambda path: with_bytes(path, 46, np.array(6, "<i2")),
        "does not fit its header, which asks for 2728",
    ),
    "other data type": (
        lambda path: with_bytes(path, 70, np.array([4, 16], "<i2")),
        "mend its dimensions or data type",
    ),
    "voxels in header": (lambda path: with_bytes(path, 108, np.array(0, "<f4")), "voxels begin at byte 0"),
    "complex": (lambda path: save(path, VOXELS.astype(np.complex64)), "holds complex voxels"),
    "colour": (lambda path: save(path, COLOUR), "holds colour voxels"),
    "several": (lambda path: save(path, np.stack([VOXELS] * 3, axis=-1)), "holds 3 volumes"),
    "none": (lambda path: save(path, VOXELS[..., None][..., :0]), "holds 0 volumes"),
    "single slice": (lambda path: save(path, VOXELS[..., :1]), "every axis needs at least 2 voxels"),
    "2D": (lambda path: save(path, VOXELS[..., 0]), r"shape is \(9, 11\), but every axis"),
    "flat axis": (lambda path: with_axes(path, [[1, 0, 0], [0, 1, 0], [0, 0, 0]]), "singular affine"),
    "equal axes": (lambda path: with_axes(path, [[1, 1, 0], [0, 0, 0], [0, 0, 1]]), "singular affine"),
    "not a number": (lambda path: with_axes(path, [[np.nan, 0, 0], [0, 1, 0], [0, 0, 1]]), "singular affine"),
    "text": (lambda path: path.write_text("no image\n" * 200), "cannot be read as NIfTI"),
    "zipped text": (lambda path: path.write_bytes(gzip.compress(b"no image" * 200)), "cannot be read as NIfTI"),
    "cut short": (lambda path: path.write_bytes(save(path).read_bytes()[:-900]), "truncated or damaged"),
    "unzipped too early": (
        lambda path: path.write_bytes(gzip.compress(gzip.decompress(save(path).read_bytes())[:-9])),
        "cut short, at 3115 of the 3124 bytes",
    ),
    "labels": (lambda path: with_intent(path, 1002), "is a label map by its header's intent code 1002"),
    "statistics": (lambda path: with_intent(path, 5), "is a statistical map by its header's intent code 5"),
    "only named as packed": (
        lambda path: path.write_bytes(gzip.decompress(save(path).read_bytes())),
        r"is not packed by gzip and only misnamed; rename it to end in \.nii",
    ),
    "empty": (lambda path: path.write_bytes(b""), "cannot be read as NIfTI"),
}


@pytest.mark.parametrize("flaw", FLAWS)
def test_what_a_header_shows_is_refused_in_the_same_words_by_reader_folder_and_csv(tmp_path, flaw):
    spoil, words = FLAWS[flaw]
    for number, name in enumerate(("good_T1", "good_T2", "bad_T1", "bad_T2")):
        save(tmp_path / f"{name}.nii.gz", VOXELS + number)
    path = tmp_path / "bad_T2.nii.gz"
    spoil(path)
    with pytest.raises(BundleError, match=words) as caught:
        read_volume(path)
    said = str(caught.value).removeprefix(f"{path} ").removesuffix(".")
    assert header_flaw(path) == said and "\n" not in said
    (tmp_path / "pairs.csv").write_text(
        "subject,t1,t2\ngood,good_T1.nii.gz,good_T2.nii.gz\nbad,bad_T1.nii.gz,bad_T2.nii.gz"
    )
    for found in (find_pairs(tmp_path), read_csv(tmp_path / "pairs.csv")):
        assert [item["subject"] for item in found.items] == ["good"]
        assert any(reason.endswith(f"bad_T2.nii.gz {said}") for reason in found.left_out)


def test_a_header_that_is_sound_has_no_flaw(tmp_path):
    for voxels in (VOXELS, VOXELS.astype(np.int16), VOXELS[..., None], VOXELS[..., None, None]):
        assert header_flaw(save(tmp_path / "a.nii.gz", voxels)) == ""
    nib.save(nib.Nifti2Image(VOXELS, AFFINE), tmp_path / "two.nii")
    assert header_flaw(tmp_path / "two.nii") == ""


def test_a_few_bytes_behind_the_voxels_are_passed_over(tmp_path):
    path = save(tmp_path / "a.nii")
    path.write_bytes(path.read_bytes() + bytes(100))
    assert header_flaw(path) == ""


def test_a_packed_file_that_is_not_named_so_is_told_and_another_format_is_not_called_misnamed(tmp_path):
    path, text = tmp_path / "a.nii", tmp_path / "b.nii"
    path.write_bytes(save(tmp_path / "a.nii.gz").read_bytes())
    assert header_flaw(path) == "is packed by gzip and only misnamed; rename it to end in .nii.gz"
    for content in (gzip.compress(b"no image" * 200), b"\x1f\x8bno gzip", path.read_bytes()[:11]):
        text.write_bytes(content)
        assert "truncated, damaged or of another format" in header_flaw(text)


def test_single_slices_pass_where_they_are_allowed(tmp_path):
    for voxels in (VOXELS[..., 0], VOXELS[..., :1]):
        assert header_flaw(save(tmp_path / "a.nii.gz", voxels), min_slices=1) == ""


def test_what_is_no_file_is_named_as_what_it_is(tmp_path):
    (tmp_path / "folder.nii.gz").mkdir()
    (tmp_path / "a.png").write_bytes(b"x")
    nib.save(nib.MGHImage(VOXELS, AFFINE), tmp_path / "a.mgz")
    os.mkfifo(tmp_path / "pipe.nii")
    (tmp_path / "link.nii").symlink_to("gone.nii")
    for name, words in (
        ("none.nii", "does not exist"),
        ("link.nii", "does not exist"),
        ("a.png/b.nii", "does not exist"),
        ("nul\0.nii", "does not exist"),
        ("\ud800.nii", "does not exist"),
        (f"{'long' * 99}.nii", "does not exist"),
        ("folder.nii.gz", "is a folder"),
        ("pipe.nii", "is a pipe"),
        ("a.png", "unknown suffix"),
        ("a.mgz", "unknown suffix"),
    ):
        assert words in header_flaw(tmp_path / name)


def test_a_folder_that_may_not_be_entered_is_named_as_the_reason(tmp_path, monkeypatch):
    def refuse(path: Path) -> None:
        raise PermissionError(13, "Permission denied", str(path))

    monkeypatch.setattr(Path, "stat", refuse)  # root may enter every folder
    assert "may not enter" in header_flaw(tmp_path / "a.nii")
