"""Displacements have the length and angle asked for, in mm; borrowed T1 is of another subject, and upright."""

from __future__ import annotations

import math
import pickle
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from monai.bundle import ConfigParser
from monai.data import DataLoader
from scipy.ndimage import affine_transform, center_of_mass
from scipy.spatial.distance import pdist

from bundle.acquisition.datasets import VolumeDataset
from bundle.acquisition.guides import MisregisteredGuide, OtherSubjectGuide
from bundle.acquisition.masks import make_mask
from bundle.acquisition.noise import KspaceNoise
from bundle.acquisition.scan import Acquisition
from bundle.data.prepared import PreparedVolume
from bundle.data.slices import Geometry
from bundle.errors import BundleError
from bundle.fourier import channels_to_complex, ifft2c

SIZE = (96, 128)  # of the matrix
MIDDLE = (np.array(SIZE) - 1) / 2
SPACING = (1.5, 0.8)  # mm, of its pixels


def blob(centre_mm: tuple[float, float], spacing: tuple[float, float] = SPACING, width_mm: float = 4) -> np.ndarray:
    """A Gaussian on the matrix, its centre counted from the matrix' middle."""
    y, x = (s * (np.arange(n) - (n - 1) / 2) for s, n in zip(spacing, SIZE))
    return np.exp(-((y[:, None] - centre_mm[0]) ** 2 + (x - centre_mm[1]) ** 2) / (2 * width_mm**2))


def centre_mm(image: torch.Tensor, spacing: tuple[float, float] = SPACING) -> np.ndarray:
    return (np.array(center_of_mass(image.double().numpy())) - MIDDLE) * spacing


def bearings(points: np.ndarray) -> np.ndarray:
    """Degrees, of ``(n, 2)`` from the middle."""
    first, second = np.transpose(points)
    return np.degrees(np.arctan2(second, first))


def prepared(path: Path, t1: np.ndarray, geometry: Geometry, name: str, subject: str | None = None) -> PreparedVolume:
    """``t1`` (s, h, w) as a prepared pair on disk."""
    pair = np.stack((t1, 1 + np.arange(t1.size, dtype=float).reshape(t1.shape) % 7), axis=1).astype(np.float32)
    file = path / f"{name}.npy"
    np.save(file, pair)
    return PreparedVolume(name, subject or name, file, geometry, {}, (1.0,) * len(t1))


def volume_of(path: Path, *slices: np.ndarray, name: str = "s0", spacing: tuple[float, float] = SPACING):
    return prepared(path, np.stack(slices), Geometry.of(np.diag([*spacing, 5, 1]), (*SIZE, len(slices)), SIZE), name)


def scan() -> Acquisition:
    return Acquisition(make_mask("random", 4), KspaceNoise(0.1))


@pytest.mark.parametrize("guide", [MisregisteredGuide(), MisregisteredGuide(0, 0.0, spline_order=3)])
def test_no_displacement_leaves_every_voxel_as_it_was(guide, make_volumes):
    for index, volume in enumerate(volumes := make_volumes()):
        shown = guide(volumes, index, 3)
        assert type(shown) is torch.Tensor and shown.dtype == torch.float32
        torch.testing.assert_close(shown, volume.slices()[0], atol=1e-6, rtol=1e-6)


@pytest.mark.parametrize("length", [1, 2, 4])
@pytest.mark.parametrize("spacing", [(1, 1), SPACING, (0.7, 2.0)])
@pytest.mark.parametrize("order", [1, 3])
def test_shift_has_the_length_asked_for_in_mm_whatever_its_direction(tmp_path, length, spacing, order):
    volumes = [volume_of(tmp_path, blob((3, -5), spacing), spacing=spacing)]
    directions = []
    for seed in range(8):
        moved = centre_mm(MisregisteredGuide(length, spline_order=order)(volumes, 0, seed)[0], spacing) - (3, -5)
        assert np.hypot(*moved) == pytest.approx(length, rel=1e-4)
        directions.append(math.degrees(math.atan2(*moved)) % 360)
    quadrants = {int(direction // 90) for direction in directions}
    assert len(quadrants) >= 3, directions


@pytest.mark.parametrize("angle", [1, 3, 5, 30])
def test_rotation_has_the_angle_asked_for_about_the_middle_and_keeps_distances_in_mm(tmp_path, angle):
    places = [(0, 0), (20, 0), (0, 25), (15, -20)]  # mm
    volumes = [volume_of(tmp_path, *map(blob, places))]
    senses = set()
    for seed in range(8):
        moved = np.array([centre_mm(image) for image in MisregisteredGuide(0, angle)(volumes, 0, seed)])
        assert np.abs(moved[0]).max() < 1e-3  # the middle stays
        turned = bearings(moved[1:]) - bearings(places[1:])
        assert turned == pytest.approx([turned[0]] * 3, abs=0.02) and abs(turned[0]) == pytest.approx(angle, abs=0.02)
        senses.add(math.copysign(1, turned[0]))
        np.testing.assert_allclose(pdist(moved), pdist(places), atol=0.01)
    assert senses == {-1, 1}


def test_displaced_image_is_scipys_linear_interpolation_with_zeros_outside(tmp_path):
    image = np.random.default_rng(0).uniform(50, 300, SIZE)
    moved = MisregisteredGuide(7, 9)([volume_of(tmp_path, image, blob((0, 0)), blob((10, 20)))], 0, 5)
    shift = centre_mm(moved[1])  # of the middle
    far = centre_mm(moved[2]) - shift
    angle = math.atan2(far[1], far[0]) - math.atan2(20, 10)
    rotation = np.array([[math.cos(angle), -math.sin(angle)], [math.sin(angle), math.cos(angle)]])
    to_mm = np.diag(SPACING)
    backwards = np.linalg.inv(to_mm) @ rotation.T @ to_mm
    offset = MIDDLE - backwards @ (MIDDLE + shift / SPACING)
    expected = affine_transform(image.astype(np.float32), backwards, offset, order=1, mode="grid-constant")
    assert np.count_nonzero(expected == 0) > 100  # some of it comes from outside
    np.testing.assert_allclose(moved[0].numpy(), expected, atol=0.5)  # shift and angle are measured: to 0.002 px
    assert np.hypot(*shift) == pytest.approx(7, rel=1e-3) and abs(math.degrees(angle)) == pytest.approx(9, rel=5e-3)


def test_cubic_interpolation_keeps_details_that_linear_interpolation_smooths_away(tmp_path):
    volumes = [volume_of(tmp_path, blob((0, 0), (1, 1), width_mm=1), spacing=(1, 1))]
    kept = []
    for order in (1, 3):
        moved = [MisregisteredGuide(4, spline_order=order)(volumes, 0, seed) for seed in range(8)]
        assert min(image.min() for image in moved) >= 0  # a magnitude stays one
        kept.append(np.mean([(image.diff(dim=1) ** 2).sum() for image in moved]))
    original = np.sum(np.diff(blob((0, 0), (1, 1), width_mm=1), axis=0) ** 2)
    assert kept[0] < 0.8 * original < 0.93 * original < kept[1] < 1.01 * original


def test_spacing_is_that_of_the_matrix_where_k_space_was_cropped(tmp_path):
    native = (2 * SIZE[0], SIZE[1])  # pixels of 0.75 mm, of which the matrix makes 1.5 mm
    geometry = Geometry.of(np.diag([0.75, 0.8, 5, 1]), (*native, 1), SIZE)
    volumes = [prepared(tmp_path, blob((0, 0))[None], geometry, "s0")]
    moved = [centre_mm(MisregisteredGuide(4)(volumes, 0, seed)[0]) for seed in range(4)]
    np.testing.assert_allclose(np.hypot(*np.transpose(moved)), 4, rtol=1e-4)


def test_all_slices_move_alike_and_one_seed_goes_one_way_at_all_lengths(tmp_path):
    volumes = [volume_of(tmp_path, blob((3, -5)), blob((0, 8)))]
    one, four = (MisregisteredGuide(length)(volumes, 0, 11) for length in (1, 4))
    places = np.array([(3, -5), (0, 8)])
    first, second = (np.array([centre_mm(image) for image in stack]) - places for stack in (one, four))
    np.testing.assert_allclose(first[0], first[1], atol=1e-4)
    np.testing.assert_allclose(4 * first, second, atol=1e-3)


@pytest.mark.parametrize("setting", ["translation_mm", "rotation_degrees"])
@pytest.mark.parametrize("amount", [-1, float("nan"), float("inf"), "4 mm", None, True])
def test_amount_that_is_no_length_or_angle_is_refused(setting, amount):
    with pytest.raises(BundleError, match=f"{setting} must be a number of at least 0"):
        MisregisteredGuide(**{setting: amount})


@pytest.mark.parametrize("order", [0, 6, 1.5, "linear", None])
def test_interpolation_that_there_is_not_is_refused(order):
    with pytest.raises(BundleError, match="spline_order is a whole number from 1"):
        MisregisteredGuide(1, spline_order=order)


def test_displacement_follows_from_seed_and_name_whatever_the_order_and_the_number_of_workers(make_volumes):
    volumes, guide = make_volumes(count=3), MisregisteredGuide(4, 5)
    first = VolumeDataset(volumes, scan(), 1, guide)
    reordered = VolumeDataset(volumes[::-1], scan(), 1, guide)
    workers = list(DataLoader(first, batch_size=1, num_workers=2))
    for index in range(3):
        t1 = first[index]["t1"]
        assert torch.equal(t1, reordered[2 - index]["t1"]) and torch.equal(t1, workers[index]["t1"][0])
        assert not torch.equal(t1, VolumeDataset(volumes, scan(), 2, guide)[index]["t1"])
    same_image = [volume_twice(volumes[0], name) for name in ("a", "b")]
    a, b = (VolumeDataset(same_image, scan(), 1, guide)[index]["t1"] for index in (0, 1))
    assert not torch.equal(a, b)


def volume_twice(volume: PreparedVolume, name: str) -> PreparedVolume:
    return replace(volume, name=name, subject=name)


def test_donor_is_the_next_subject_whatever_the_order_of_the_list_and_no_other_session_of_ones_own(tmp_path):
    geometry = Geometry.of(np.diag([1, 1, 5, 1]), (*SIZE, 1), SIZE)
    names = [("a_1", "a"), ("a_2", "a"), ("b", "b"), ("c_1", "c"), ("c_2", "c")]
    marks = {name: number for number, (name, _) in enumerate(names, start=1)}
    volumes = [prepared(tmp_path, np.full((1, *SIZE), marks[name]), geometry, name, subject) for name, subject in names]
    expected = {"a_1": "b", "a_2": "b", "b": "c_1", "c_1": "a_1", "c_2": "a_1"}
    for order in (volumes, volumes[::-1]):
        for index, volume in enumerate(order):
            assert OtherSubjectGuide()(order, index, 0).unique().tolist() == [marks[expected[volume.name]]]
    # leave one out: the fold's training volumes are the donors, and the donor is the same
    for volume in volumes:
        others = [donor for donor in volumes if donor.subject != volume.subject]
        given = OtherSubjectGuide(others)([volume], 0, 0).unique().tolist()
        assert given == [marks[expected[volume.name]]]


def test_list_of_one_subject_is_refused_and_told_what_to_do(make_volumes):
    alone = make_volumes(count=1)
    for donors in (None, alone, []):
        with pytest.raises(BundleError, match="is of another subject than s0: give donors from another list"):
            OtherSubjectGuide(donors)(alone, 0, 0)


@pytest.mark.parametrize(
    "own, donated, expected",
    [
        (4, 4, [0, 1, 2, 3]),
        (3, 6, [1, 3, 5]),
        (6, 3, [0, 0, 1, 1, 2, 2]),
        (1, 5, [2]),
        (5, 1, [0, 0, 0, 0, 0]),
    ],
)
def test_slices_are_matched_by_their_relative_position(tmp_path, own, donated, expected):
    stacks = [np.ones((count, *SIZE)) * np.arange(count)[:, None, None] for count in (own, donated)]
    volumes = [volume_of(tmp_path, *stack, name=name) for name, stack in zip("ab", stacks)]
    assert OtherSubjectGuide()(volumes, 0, 0)[:, 5, 5].tolist() == expected


@pytest.mark.parametrize("directions", [(1, 1, -1), (-1, 1, 1), (1, -1, -1)])
def test_donor_stored_the_other_way_round_is_shown_upright(tmp_path, directions):
    t1 = np.random.default_rng(1).uniform(1, 2, (4, *SIZE))  # (s, h, w), as the evaluated volume would have it
    straight = Geometry.of(np.diag([1, 1, 5, 1]), (*SIZE, 4), SIZE)
    flipped = Geometry.of(np.diag([*directions, 1]) @ np.diag([1, 1, 5, 1]), (*SIZE, 4), SIZE)
    stored = t1[:: directions[2], :: directions[0], :: directions[1]]
    volumes = [prepared(tmp_path, 0 * t1, straight, "a"), prepared(tmp_path, stored, flipped, "b")]
    np.testing.assert_array_equal(OtherSubjectGuide()(volumes, 0, 0), t1.astype(np.float32))


@pytest.mark.parametrize("direction", [1, -1])
def test_donor_of_turned_slices_and_another_matrix_is_turned_back_and_padded_about_its_middle(tmp_path, direction):
    inner = np.random.default_rng(1).uniform(1, 2, (2, 64, 96))
    own = Geometry.of(np.diag([1, 1, 5, 1]), (*SIZE, 2), SIZE)
    turned = np.diag([1.0, direction, 5, 1])[:, [1, 0, 2, 3]]  # first axis along y, to and fro; second along x
    stored = inner.swapaxes(1, 2)[:, ::direction]
    donor = prepared(tmp_path, stored, Geometry.of(turned, (96, 64, 2), None), "b")
    shown = OtherSubjectGuide()([prepared(tmp_path, np.zeros((2, *SIZE)), own, "a"), donor], 0, 0)
    np.testing.assert_allclose(shown, np.pad(inner, ((0, 0), (16, 16), (16, 16))), atol=1e-5)


@pytest.mark.parametrize("guide", [OtherSubjectGuide(), MisregisteredGuide(4, 5)])
def test_network_and_figures_get_the_guides_t1_and_all_else_stays(make_volumes, guide):
    volumes = make_volumes(count=2)
    plain, guided = VolumeDataset(volumes, scan(), 1)[0], VolumeDataset(volumes, scan(), 1, guide)[0]
    assert torch.equal(plain["image"][2:], guided["image"][2:])
    for key in ("reference", "zero_filled", "scale", "mask"):
        assert torch.equal(plain[key], guided[key]), key
    assert plain["t1"].shape == guided["t1"].shape and guided["t1"].dtype == torch.float32
    assert not torch.allclose(plain["t1"], guided["t1"])
    shown = ifft2c(channels_to_complex(guided["image"][:2].movedim(-1, 0))).abs()[1:3]
    t1 = guided["t1"][0].movedim(-1, 0)[1:3]
    ratio = t1.sum((1, 2)) / shown.sum((1, 2))
    torch.testing.assert_close(shown * ratio[:, None, None], t1, atol=0.01, rtol=1e-4)


def test_guide_can_be_sent_to_a_worker_with_its_donors(make_volumes):
    volumes = make_volumes(count=2)
    guide = OtherSubjectGuide(volumes)
    assert torch.equal(pickle.loads(pickle.dumps(guide))(volumes, 0, 0), guide(volumes, 0, 0))


def test_guides_are_named_in_a_config(make_volumes):
    config = {
        "train": {"volumes": make_volumes(count=3)},
        "misregistered": {
            "_target_": "bundle.acquisition.MisregisteredGuide",
            "translation_mm": 4,
            "rotation_degrees": 5,
        },
        "other_subject": {"_target_": "bundle.acquisition.OtherSubjectGuide", "donors": "@train::volumes"},
    }
    parser = ConfigParser(config)
    moved, other = (parser.get_parsed_content(name) for name in ("misregistered", "other_subject"))
    assert (moved.translation_mm, moved.rotation_degrees) == (4, 5)
    assert [donor.name for donor in other.donors] == ["s0", "s1", "s2"]
