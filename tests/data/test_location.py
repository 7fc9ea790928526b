"""Where an image lies: sform and qform with their codes, units, handedness and shear, as the header has them."""

from __future__ import annotations

import logging
import re
from collections.abc import Callable
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest

from bundle.data.headers import header_flaw
from bundle.data.location import locate, located_header
from bundle.data.reading import read_volume
from bundle.errors import BundleError

VOXELS = np.random.default_rng(0).integers(0, 1000, (9, 11, 7)).astype(np.float32)
AFFINE = np.array([[-0.9, 0, 0, 80.0], [0, 0.9, 0.1, -90], [0, -0.1, 3, -20], [0, 0, 0, 1]])
SHEARED = np.array([[0.9, 0.3, 0, -8.0], [0, 0.9, 0, 5], [0, 0.4, -3, 20], [0, 0, 0, 1]])
QFORM = np.array([[0, 0, 3.0, -10], [-0.9, 0, 0, 9], [0, -0.9, 0, 30], [0, 0, 0, 1]])
FLAT = np.diag([0.9, 0.9, 0, 1])


@pytest.fixture
def image(tmp_path: Path) -> Callable[..., nib.Nifti1Image]:
    """``image(sform, ...)``: as it is loaded from a file."""

    def make(
        sform: np.ndarray = AFFINE, sform_code: int = 1, qform: np.ndarray = AFFINE, qform_code: int = 1, unit: int = 2
    ) -> nib.Nifti1Image:
        made = nib.Nifti1Image(VOXELS, AFFINE)
        made.header.set_sform(sform)
        made.header.set_qform(qform)
        made.header["xyzt_units"] = unit
        path = tmp_path / "image.nii"
        nib.save(nib.Nifti1Image(VOXELS, None, made.header), path)
        raw = bytearray(path.read_bytes())
        raw[252:256] = np.array([qform_code, sform_code], "<i2").tobytes()  # nibabel itself writes no unknown code
        path.write_bytes(raw)
        return nib.load(path)

    return make


@pytest.mark.parametrize(
    ("header", "affine", "words"),
    [
        ({}, AFFINE, ""),
        ({"sform": SHEARED, "qform_code": 0}, SHEARED, ""),
        ({"sform_code": 0, "qform": QFORM}, QFORM, ""),
        ({"sform_code": 0, "qform": QFORM, "qform_code": 3}, QFORM, ""),
        ({"sform_code": 7, "qform_code": 0}, AFFINE, ""),
        ({"sform": FLAT, "qform": QFORM}, QFORM, "has a singular sform, so that its qform is taken"),
        ({"qform": QFORM, "sform_code": 4}, AFFINE, r"has sform \(mni\) and qform \(scanner\) that disagree by up to"),
        ({"sform_code": 9, "qform": QFORM}, AFFINE, r"has sform \(code 9\) and qform"),
        ({"sform_code": 0, "qform_code": 0}, None, "has neither sform nor qform"),
        ({"unit": 0}, AFFINE, ""),
        ({"unit": 10}, AFFINE, ""),
        ({"unit": 5}, AFFINE, r"names an unknown unit of length \(code 5\)"),
    ],
)
def test_forms_are_taken_by_their_codes_and_what_is_odd_is_said(header, affine, words, image):
    found = locate(image(**header))
    np.testing.assert_allclose(found.affine, image(**header).affine if affine is None else affine, atol=1e-5)
    assert found.flaw == "" and (found.remark == "") == (words == "")
    assert re.match(words, found.remark)


@pytest.mark.parametrize(("unit", "millimetres", "word"), [(1, 1e3, "metres"), (3, 1e-3, "micrometres")])
def test_metres_and_micrometres_become_mm_in_both_forms(unit, millimetres, word, image):
    inverse = np.diag([1 / millimetres] * 3 + [1])
    for header in ({"sform": inverse @ AFFINE, "qform_code": 0}, {"qform": inverse @ QFORM, "sform_code": 0}):
        found = locate(image(**header, unit=unit))
        truth = AFFINE if "sform" in header else QFORM
        np.testing.assert_allclose(found.affine, truth, rtol=1e-5, atol=1e-4)
        assert found.remark == f"is in {word}, which become mm" and found.flaw == ""


@pytest.mark.parametrize("unit", [1, 3])
def test_mm_that_are_called_metres_or_micrometres_are_refused(unit, image):
    assert "mend the voxel sizes or the unit" in locate(image(unit=unit)).flaw


def test_disagreement_is_measured_in_mm_at_the_farthest_corner(image):
    near, far = QFORM.copy(), QFORM.copy()
    near[0, 3] += 0.9
    far[0, 3] += 2.5
    assert locate(image(QFORM, 1, near)).remark == ""
    assert "disagree by up to 2.5 mm" in locate(image(QFORM, 1, far)).remark


def test_reader_takes_the_location_with_a_line_and_header_check_refuses_what_it_refuses(tmp_path: Path, caplog, image):
    path = tmp_path / "a.nii"
    nib.save(image(FLAT, 1, QFORM), path)
    with caplog.at_level(logging.WARNING, "bundle.data.reading"):
        np.testing.assert_allclose(read_volume(path).affine, QFORM, atol=1e-5)
    assert caplog.messages == [f"{path} has a singular sform, so that its qform is taken"]
    nib.save(image(unit=1), path)
    with pytest.raises(BundleError, match=r"voxels measure 900 x .* mm; mend") as caught:
        read_volume(path)
    assert str(caught.value) == f"{path} {header_flaw(path)}."


def in_file(path: Path, place: int, *values: float) -> nib.Nifti1Image:
    """The image with a field of its header that nibabel itself would not write so."""
    raw = bytearray(path.read_bytes())
    raw[place : place + 4 * len(values)] = np.array(values, "<f4").tobytes()
    path.write_bytes(raw)
    return nib.load(path)


@pytest.mark.parametrize("codes", [{"sform_code": 0}, {"sform_code": 0, "qform_code": 0}])
@pytest.mark.parametrize(("sizes", "said"), [((4, 0, 8), "4 x 0 x 8 mm"), ((0, 0, 0), "0 x 0 x 0 mm")])
def test_voxel_sizes_of_0_are_refused_where_they_are_needed(tmp_path: Path, image, codes, sizes, said):
    image(**codes)
    assert said in locate(in_file(tmp_path / "image.nii", 80, *sizes)).flaw
    with pytest.raises(BundleError, match=rf"image.nii has a singular affine \(its voxels measure {said}\); mend"):
        read_volume(tmp_path / "image.nii")


def test_voxel_sizes_of_0_beside_a_sound_sform_or_of_a_single_slice_do_no_harm(tmp_path: Path, image):
    image()
    found = in_file(tmp_path / "image.nii", 80, 0, 0, 0)
    np.testing.assert_allclose(read_volume(tmp_path / "image.nii").affine, AFFINE, atol=1e-5)
    header = located_header(found)
    np.testing.assert_allclose(header["pixdim"][1:4], np.linalg.norm(AFFINE[:3, :3], axis=0), rtol=1e-5)
    assert header["qform_code"] == 0 and header["sform_code"] == 1
    nib.save(nib.Nifti1Image(VOXELS[..., :1], None), tmp_path / "image.nii")
    assert locate(in_file(tmp_path / "image.nii", 88, 0)).flaw == ""


@pytest.mark.parametrize("shift", [1e30, 5_111_808, 10_100])
def test_a_place_beyond_10_m_is_refused_and_a_nearer_one_is_not(tmp_path: Path, image, shift):
    far, near = AFFINE.copy(), AFFINE.copy()
    far[1, 3], near[1, 3] = shift, 9_800
    assert locate(image(near, qform_code=0)).flaw == ""
    image(far, qform_code=0)
    with pytest.raises(BundleError, match=r"image.nii puts its first voxel .* m from the origin, beyond 10 m; mend"):
        read_volume(tmp_path / "image.nii")


def test_an_impossible_quaternion_beside_a_sound_sform_is_passed_over(tmp_path: Path, image):
    path = tmp_path / "a.nii"
    nib.save(image(), path)
    raw = bytearray(path.read_bytes())
    raw[256:268] = np.full(3, 3.0, "<f4").tobytes()  # quatern_b, c, d
    path.write_bytes(raw)
    np.testing.assert_allclose(read_volume(path).affine, AFFINE, atol=1e-5)
