"""A lesion mask lies where its header puts it, on whatever grid; what is none is refused in one sentence."""

from __future__ import annotations

from pathlib import Path

import nibabel as nib
import numpy as np
import pytest
from nibabel.processing import resample_from_to
from scipy.ndimage import binary_dilation, find_objects

from bundle.data.prepared import PreparedVolume, PreparedVolumes
from bundle.data.slices import Geometry
from bundle.errors import BundleError
from bundle.evaluation.lesion_masks import lesion_mask
from tests.bundle_runs import ROOT
from tests.conftest import SyntheticPreprocessing


@pytest.fixture
def prepared(tmp_path):
    def prepare(mask: Path | str | None) -> PreparedVolume:
        item = {"subject": "s", "t1": "1.nii", "t2": "2.nii"} | ({} if mask is None else {"lesions": str(mask)})
        return PreparedVolumes([item], SyntheticPreprocessing(4, 32, 48), tmp_path / "prepared")[0]

    return prepare


def written(folder: Path, voxels: np.ndarray, affine: np.ndarray) -> Path:
    path = folder / "mask.nii.gz"
    nib.save(nib.Nifti1Image(voxels, affine), path)
    return path


def test_a_mask_of_the_same_grid_is_taken_voxel_by_voxel(prepared, tmp_path):
    voxels = np.zeros((32, 48, 4), np.uint8)
    voxels[10:14, 20:25, 2] = 3
    found = lesion_mask(prepared(written(tmp_path, voxels, np.diag([1.0, 1, 5, 1]))))
    assert np.array_equal(found, voxels > 0)


def test_a_mask_of_another_grid_and_orientation_is_brought_to_where_its_header_puts_it(prepared, tmp_path):
    voxels = np.zeros((96, 20, 64), np.float32)
    voxels[40:50, 10:15, 20:28] = 1  # y from 20 to 24.5, z from 10 to 14 and x from 21.5 down to 18 mm
    affine = np.array([[0, 0, -0.5, 31.5], [0.5, 0, 0, 0], [0, 1, 0, 0], [0, 0, 0, 1]])
    found = lesion_mask(prepared(written(tmp_path, voxels, affine)))
    assert [sorted(set(axis)) for axis in np.nonzero(found)] == [[18, 19, 20, 21], [20, 21, 22, 23, 24], [2]]


def test_a_matrix_with_larger_voxels_keeps_the_place(prepared, tmp_path):
    volume = prepared(written(tmp_path, np.eye(1)[..., None], np.eye(4)))
    geometry = Geometry.of(np.diag([1.0, 1, 5, 1]), (64, 96, 4), (32, 48))
    voxels = np.zeros((64, 96, 4), np.uint8)
    voxels[20:24, 40:44, 1] = 1
    path = written(tmp_path, voxels, np.diag([1.0, 1, 5, 1]))
    found = lesion_mask(PreparedVolume("s", "s", volume.path, geometry, {}, (1.0,) * 4, files={"lesions": str(path)}))
    assert [sorted(set(axis)) for axis in np.nonzero(found)] == [[10, 11], [20, 21], [1]]


def test_the_recipe_of_the_docs_brings_changed_lesions_to_where_t2_is_brighter(shared_data, tmp_path, monkeypatch):
    text = (ROOT / "docs" / "lesions.md").read_text()
    code = text.split("```python\n")[1].split("```")[0].replace("DATA/", f"{shared_data}/")
    monkeypatch.chdir(tmp_path)
    exec(code, {})
    image = nib.load(shared_data / "ms-longitudinal" / "patient03" / "ses-2" / "T2w.nii.gz")
    mask, t2 = resample_from_to(nib.load(tmp_path / "lesions.nii.gz"), image, order=0), image.get_fdata()
    inside = mask.get_fdata() > 0
    assert inside.sum() * np.prod(mask.header.get_zooms()) == pytest.approx(4290, rel=0.1)  # mm^3 in the file
    (box,) = find_objects(inside.astype(np.uint8))
    inside, t2 = inside[box], t2[box]
    grown = [binary_dilation(inside, np.ones((3, 3, 1)), iterations=voxels) for voxels in (1, 3)]
    assert t2[inside].mean() > 1.15 * np.median(t2[grown[1] & ~grown[0]])


def test_a_volume_without_a_mask_has_none(prepared):
    assert lesion_mask(prepared(None)) is None


@pytest.mark.parametrize(
    ("voxels", "words"),
    [
        (None, "gone.nii does not exist or cannot be read"),
        (np.zeros((32, 48, 4), np.uint8), "marks no voxel of 2.nii, where their headers put both"),
        (np.ones((32, 48, 4), np.uint8), r"no lesion mask: .* 100% above 0"),
        (np.zeros((32, 48, 4, 2), np.uint8), r"no lesion mask: .* shape \(32, 48, 4, 2\)"),
        (np.full((32, 48, 4), np.nan, np.float32), "no lesion mask"),
        (
            np.arange(-4000, 2144).reshape(32, 48, 4).astype(np.int16),
            "an image and no lesion mask: it has 6144 different",
        ),
    ],
)
def test_what_is_no_mask_of_the_image_is_refused_by_name(prepared, tmp_path, voxels, words):
    path = tmp_path / "gone.nii" if voxels is None else written(tmp_path, voxels, np.diag([1.0, 1, 5, 1]))
    with pytest.raises(BundleError, match=words):
        lesion_mask(prepared(path))
