"""Rigid alignment: known displacements are recovered on any grid, aligned pairs stay, and real pairs come close."""

from __future__ import annotations

import logging
import pickle
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest
import torch
from monai.data import MetaTensor
from scipy.ndimage import gaussian_filter

from bundle.data.alignment import LEAST_LIKENESS, RigidAlignmentd, register_rigid
from bundle.data.reading import ReadVolumed
from bundle.errors import BundleError
from tests.data.analytic_head import OBLIQUE, SAGITTAL, T2, T2_GRID, T2_SHAPE, grid, head, moved


def distance(found: np.ndarray, truth: np.ndarray, fixed: MetaTensor) -> float:
    """Mean distance in mm over the voxels inside the head between where two transforms (RAS) send them."""
    voxels = fixed.numpy()[0]
    inside = np.argwhere(voxels > 0.1 * np.percentile(voxels, 99))[::97]
    points = fixed.affine.numpy() @ np.column_stack((inside, np.ones(len(inside)))).T
    return float(np.linalg.norm(((found - truth) @ points)[:3], axis=0).mean())


@pytest.mark.parametrize(
    ("size", "shape", "axes"),
    [
        ((2.0, 2.0, 2.0), (80, 96, 72), np.eye(3)),
        ((1.5, 1.5, 3.0), (107, 101, 50), SAGITTAL),
        ((2.0, 2.0, 2.0), (80, 96, 72), np.diag([-1.0, 1, 1])),
        ((1.7, 2.1, 3.3), (101, 99, 47), OBLIQUE),
        ((2.0, 2.0, 2.0), (81, 97, 73), np.array([[1.0, 0.05, 0], [0, 1, 0], [0, 0, 1]])),
    ],
    ids=["isotropic", "sagittal", "left-handed", "oblique and anisotropic", "sheared"],
)
def test_known_rotation_of_8_degrees_and_shift_of_12_mm_is_recovered_to_half_a_mm(size, shape, axes):
    truth = moved((0, 0, 8), (8, -8, 4))
    t1 = head("t1", grid(size, shape, axes), shape, truth)
    found = register_rigid(T2, t1, samples=30_000)
    assert found.registered and distance(np.eye(4), truth, T2) > 10
    assert distance(found.t2_to_t1, truth, T2) < 0.5
    assert found.mutual_information_after > found.mutual_information_before


def test_aligned_pair_on_one_grid_keeps_its_voxels_and_says_so():
    t1 = head("t1", T2_GRID, T2_SHAPE)
    item = pickle.loads(pickle.dumps(RigidAlignmentd(samples=30_000)))({"t1": t1, "t2": T2})
    report = item["alignment"]
    assert not report["registered"] and "headers kept" in report["note"]
    assert report["translation_mm"] == report["rotation_degrees"] == [0, 0, 0]
    assert report["t2_to_t1"] == np.eye(4).tolist()
    np.testing.assert_array_equal(item["t1"].numpy(), t1.numpy())


def test_transform_puts_t1_on_the_grid_of_t2_and_reports_plain_values(caplog):
    truth = moved((0, 5, 0), (3, 0, 6))
    t1 = head("t1", grid((2.0, 2.0, 2.0), (80, 96, 72)), (80, 96, 72), truth)
    with caplog.at_level(logging.INFO, "bundle.data.alignment"):
        item = RigidAlignmentd(samples=30_000)({"t1": t1, "t2": T2, "subject": "a"})
    report = item["alignment"]
    assert item["t1"].shape == T2.shape and item["t1"].dtype == torch.float32 and item["subject"] == "a"
    np.testing.assert_array_equal(item["t1"].affine, T2.affine)
    assert item["t1"].meta["filename_or_obj"] == "t1.nii.gz" and t1.shape == (1, 80, 96, 72)
    np.testing.assert_allclose(report["rotation_degrees"], [0, 5, 0], atol=0.5)
    assert distance(np.array(report["t2_to_t1"]), truth, T2) < 0.5
    aligned = head("t1", T2_GRID, T2_SHAPE).numpy()
    assert np.corrcoef(item["t1"].numpy().ravel(), aligned.ravel())[0, 1] > 0.995
    assert type(report["mutual_information_after"]) is float and len(report["translation_mm"]) == 3
    assert len(caplog.records) == 1 and "t1.nii.gz on t2.nii.gz: registered" in caplog.text


def test_no_levels_trust_the_headers_and_resample_only():
    t1 = head("t1", T2_GRID, T2_SHAPE, moved(shift=(9, 0, 0)))
    item = RigidAlignmentd(levels=0)({"t1": t1, "t2": T2})
    assert "switched off" in item["alignment"]["note"]
    np.testing.assert_array_equal(item["t1"].numpy(), t1.numpy())


@pytest.mark.parametrize("shift", [(400.0, 0, 0), (70, 85, 60)], ids=["without overlap", "half a head"])
def test_lost_origin_is_recovered_from_the_centres_of_the_heads_and_said(shift):
    lost = head("t1", T2_GRID, T2_SHAPE)
    lost.affine = torch.from_numpy(moved(shift=shift) @ T2_GRID)
    report = RigidAlignmentd(samples=30_000)({"t1": lost, "t2": T2})["alignment"]
    assert report["registered"] and "centres of the heads" in report["note"] and report["same_anatomy"]
    assert distance(np.array(report["t2_to_t1"]), moved(shift=shift), T2) < 0.5
    assert report["mutual_information_after"] > report["mutual_information_before"] + 1


@pytest.mark.parametrize(("shift", "starts"), [((4, -3, 2), 1), ((0, 60, 0), 2)])
def test_a_second_start_is_made_only_where_the_centres_of_the_heads_lie_apart(monkeypatch, shift, starts):
    shifts = []

    def find(fixed, moving, *settings, shift=(0, 0, 0), **others):
        shifts.append(shift)
        raise RuntimeError("no transform: whatever the start, the likeness stays low")

    monkeypatch.setattr("bundle.data.alignment.find_transform", find)
    monkeypatch.setattr("bundle.data.alignment.likeness_at", lambda *_: 1.0)
    register_rigid(T2, head("t1", T2_GRID, T2_SHAPE, moved((0, 0, 0), shift)))
    assert len(shifts) == starts


def test_images_of_two_anatomies_are_told_and_can_be_let_pass(caplog):
    caplog.set_level(logging.WARNING)
    tissue = gaussian_filter(np.random.default_rng(0).normal(size=T2_SHAPE), 3).astype(np.float32)
    other = MetaTensor(
        torch.from_numpy(tissue - tissue.min())[None], affine=T2_GRID, meta={"filename_or_obj": "t1.nii.gz"}
    )
    item = {"t1": other, "t2": T2}
    report = RigidAlignmentd(samples=30_000)(item)["alignment"]
    assert not report["same_anatomy"] and report["likeness"] < LEAST_LIKENESS
    assert "t1.nii.gz and t2.nii.gz do not seem to show the same anatomy" in caplog.text
    assert RigidAlignmentd(levels=0, least_likeness=0)(item)["alignment"]["same_anatomy"]


def test_a_t1_that_is_t2_in_other_units_is_refused():
    copy = MetaTensor(T2.max().item() - T2.as_tensor() + 9, affine=T2_GRID, meta={"filename_or_obj": "copy.nii.gz"})
    with pytest.raises(BundleError, match=r"copy.nii.gz and t2.nii.gz are one image in two scales, .* 1.00000; give"):
        RigidAlignmentd(levels=0)({"t1": copy, "t2": T2})


def test_a_likeness_just_below_the_limit_reads_as_below_it(caplog, monkeypatch):
    monkeypatch.setattr("bundle.data.alignment.likeness_at", lambda *_: LEAST_LIKENESS - 1e-4)
    RigidAlignmentd(levels=0)({"t1": head("t1", T2_GRID, T2_SHAPE), "t2": T2})
    assert "likeness is 1.24, expected 1.25 at least" in caplog.text


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_non_finite_constant_and_flat_volumes_are_refused_from_python_too(value):
    broken = head("t1", T2_GRID, T2_SHAPE)
    broken[0, 1, 2, 3] = value
    constant = MetaTensor(torch.full_like(T2.as_tensor(), 3.0), affine=T2_GRID)
    flat = T2[..., :1]
    for volume, said in (
        (broken, "1 non-finite voxels"),
        (constant, "every voxel is 3"),
        (flat, "expected a MetaTensor"),
    ):
        with pytest.raises(BundleError, match=said):
            register_rigid(T2, volume)


def test_failure_inside_itk_keeps_the_headers_without_a_traceback():
    t1 = head("t1", T2_GRID, T2_SHAPE, moved((5, 0, 0)))
    report = RigidAlignmentd(samples=1)({"t1": t1, "t2": T2})["alignment"]  # ITK raises: no samples at coarse levels
    assert not report["registered"] and report["note"] == "headers kept: registration failed"
    assert report["t2_to_t1"] == np.eye(4).tolist()


def test_too_few_slices_to_register_are_told_and_keep_the_headers():
    slab = T2[:, :, :, 5:8]
    report = RigidAlignmentd()({"t1": head("t1", T2_GRID, T2_SHAPE, moved((5, 0, 0))), "t2": slab})["alignment"]
    assert report["note"] == "headers kept: a registration needs 4 voxels along each axis, and there are 3"


LPS = np.diag([-1.0, -1, 1, 1])
DRAWS = 60_000  # voxels of the last level; half the time of the default
SESSIONS = ["patient03/ses-2", "patient12/ses-2"]  # of the five in docs/data.md


def shipped_transform(folder: Path) -> np.ndarray:
    """T2 point to T1 point in RAS mm, from the two ITK transforms that start at FLAIR: A_T1(inverse(A_T2)(p))."""
    steps = []
    for contrast in ("T1W", "T2W"):
        lines = (folder / f"{contrast}_intrastudy_to_FLAIR.txt").read_text().splitlines()
        parameters, centre = (np.array(line.split()[1:], dtype=float) for line in lines[3:5])
        step = np.eye(4)
        step[:3, :3] = parameters[:9].reshape(3, 3)
        step[:3, 3] = parameters[9:] + centre - step[:3, :3] @ centre
        steps.append(step)
    return LPS @ steps[0] @ np.linalg.inv(steps[1]) @ LPS


@pytest.mark.slow
@pytest.mark.parametrize("session", SESSIONS)
def test_real_session_comes_within_0_7_mm_of_the_shipped_transform(shared_data, session):
    folder = shared_data / "ms-longitudinal" / session
    pair = ReadVolumed()({"t1": folder / "T1w.nii.gz", "t2": folder / "T2w.nii.gz"})
    report = RigidAlignmentd()(pair)["alignment"]
    truth = shipped_transform(folder)
    left = distance(np.array(report["t2_to_t1"]), truth, pair["t2"])
    assert report["registered"] and left <= 0.7 and report["note"] == "registered" and report["likeness"] > 1.4


@pytest.mark.slow
@pytest.mark.parametrize("folder", ["mni-avg152/template", "ms-cross-mni/patient07"])
def test_real_pair_that_is_aligned_already_stays_as_it_is(shared_data, folder):
    pair = {name: next((shared_data / folder).glob(f"{name.upper()}w.nii*")) for name in ("t1", "t2")}
    read = ReadVolumed()(pair)
    item = RigidAlignmentd(samples=DRAWS)(read)
    assert not item["alignment"]["registered"] and "no gain" in item["alignment"]["note"]
    assert item["alignment"]["same_anatomy"]
    voxels = np.asarray(nib.load(pair["t1"]).dataobj, dtype=np.float32).clip(min=0)  # small negatives are set to 0
    np.testing.assert_array_equal(item["t1"].numpy()[0], voxels)


@pytest.mark.slow
@pytest.mark.parametrize("folder", ["tcga-lgg-brain/TCGA-FG-6692"])
def test_known_displacement_of_a_real_pair_is_recovered_to_half_a_mm(shared_data, folder):
    read = ReadVolumed()({name: shared_data / folder / f"{name.upper()}w.nii.gz" for name in ("t1", "t2")})
    truth = moved((0, 0, 8), (8, -8, 4))
    read["t1"].affine = torch.from_numpy(truth) @ read["t1"].affine
    found = register_rigid(read["t2"], read["t1"], samples=DRAWS)
    assert distance(found.t2_to_t1, truth, read["t2"]) < 0.5
