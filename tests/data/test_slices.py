"""Slices keep intensities, anatomy and physical position on their way to the scan's matrix and back."""

from __future__ import annotations

import json

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from monai.data import MetaTensor

from bundle.data.slices import (
    Geometry,
    from_matrix,
    matrix_for,
    slices_to_volume,
    to_matrix,
    volume_to_slices,
)
from bundle.data.to_slices import VolumeToSlicesd
from bundle.errors import BundleError

PLANES = [(40, 48), (41, 47), (40, 33)]
SMALLER = [(32, 32), (16, 32), (32, 16)]


def positions(plane: tuple[int, int], matrix: tuple[int, int]) -> list[np.ndarray]:
    """Where the voxels of a cropped matrix lie, in voxels of the plane, counted from its middle."""
    rows, columns = ((np.arange(m) - m // 2) * (p / m) for p, m in zip(plane, matrix))
    return [rows[:, None], columns[None]]


def waves(plane: tuple[int, int], rows: np.ndarray, columns: np.ndarray) -> torch.Tensor:
    """A positive image of few waves over the field of view ``plane``."""
    y, x = 2 * np.pi * rows / plane[0], 2 * np.pi * columns / plane[1]
    return torch.from_numpy(5 + np.cos(3 * y + 0.4) + np.sin(2 * y - 5 * x))


def rotated_affine(spacing: tuple[float, float, float]) -> np.ndarray:
    """Oblique and left-handed."""
    rotation, _ = np.linalg.qr(np.array([[1, 0.2, -0.1], [-0.3, 1, 0.2], [0.1, 0.1, -1]]))
    affine = np.eye(4)
    affine[:3, :3], affine[:3, 3] = rotation * spacing, (-20, 35, 7)
    return affine


SIZES = st.integers(1, 5).map(lambda times: 16 * times)
MATRICES = st.tuples(SIZES, SIZES)


@given(MATRICES, st.data())
def test_padding_comes_back_exactly(matrix, data):
    plane = tuple(data.draw(st.integers(1, size)) for size in matrix)
    image = torch.rand(plane, generator=torch.Generator().manual_seed(0))
    padded = to_matrix(image, matrix)
    assert padded.shape == matrix and torch.equal(from_matrix(padded, plane), image)
    assert padded[matrix[0] // 2, matrix[1] // 2] == image[plane[0] // 2, plane[1] // 2]
    assert padded.sum() == pytest.approx(image.sum().item())


@pytest.mark.parametrize("matrix", SMALLER, ids=str)
@pytest.mark.parametrize("plane", PLANES, ids=str)
def test_cropping_keeps_the_middle_of_kspace_as_numpy_says(plane, matrix):
    image = torch.rand(plane, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    kspace = np.fft.fftshift(np.fft.fft2(np.fft.ifftshift(image.numpy())))
    first = [p // 2 - m // 2 for p, m in zip(plane, matrix)]
    kept = kspace[first[0] : first[0] + matrix[0], first[1] : first[1] + matrix[1]]
    expected = np.abs(np.fft.fftshift(np.fft.ifft2(np.fft.ifftshift(kept)))) * (kept.size / kspace.size)
    np.testing.assert_allclose(to_matrix(image, matrix).numpy(), expected, atol=1e-10)


@given(MATRICES, st.data())
def test_intensities_of_a_plain_image_stay_on_the_way_to_any_matrix_and_back(matrix, data):
    plane = tuple(data.draw(st.integers(size, 90)) for size in matrix)
    constant = to_matrix(torch.full(plane, 700.0), matrix)
    torch.testing.assert_close(constant, torch.full(matrix, 700.0))
    torch.testing.assert_close(from_matrix(constant, plane), torch.full(plane, 700.0))


@given(MATRICES, st.data())
def test_band_limited_image_keeps_its_mean_and_its_values_where_its_voxels_lie(matrix, data):
    plane = tuple(data.draw(st.integers(size, 90)) for size in matrix)
    image = waves(plane, *positions(plane, plane))
    cropped = to_matrix(image, matrix)
    torch.testing.assert_close(cropped, waves(plane, *positions(plane, matrix)))
    torch.testing.assert_close(cropped.mean(), image.mean())
    torch.testing.assert_close(from_matrix(cropped, plane), image)


@pytest.mark.parametrize("plane", [(40, 24), (41, 25), (39, 17)], ids=str)
def test_one_axis_is_cropped_while_the_other_is_padded(plane):
    rows, _ = positions(plane, plane)
    image = 5 + torch.from_numpy(np.cos(2 * np.pi * 3 * rows / plane[0])) * torch.ones(plane, dtype=torch.float64)
    for original in (image, image.T):
        shape = tuple(original.shape)
        there = to_matrix(original, (32, 32))
        assert there.shape == (32, 32)
        torch.testing.assert_close(from_matrix(there, shape), original)
        edge = there[:, 0] if shape == plane else there[0]
        assert edge.abs().max() < 1e-9  # the padding stays empty


@pytest.mark.parametrize("image_size", [None, 32, 96, (32, 96)], ids=str)
@pytest.mark.parametrize("slice_axis", [0, 1, 2])
@pytest.mark.parametrize("plane", [(64, 72), (65, 71)], ids=str)
def test_matrix_affine_puts_the_same_anatomy_at_the_same_place_in_the_world(plane, slice_axis, image_size):
    shape, spacing = list(plane), [1.1, 0.9]
    shape.insert(slice_axis, 3)
    spacing.insert(slice_axis, 5.0)
    affine = rotated_affine(tuple(spacing))
    geometry = Geometry.of(affine, shape, image_size)
    assert geometry.slice_axis == slice_axis
    middle = affine @ [*(size // 2 for size in shape), 1]

    def anatomy(matrix_affine: np.ndarray, size: tuple[int, ...]) -> torch.Tensor:
        """A blob in mm, 10 off the volume's middle, that is nearly band-limited."""
        voxels = np.stack([*np.meshgrid(*map(np.arange, size), indexing="ij"), np.ones(size)])
        offset = np.tensordot(matrix_affine, voxels, 1)[:3] - (middle[:3] + (6, -5, 4))[:, None, None, None]
        return torch.from_numpy(np.exp(-(offset**2).sum(axis=0) / (2 * 6.0**2)))

    slices = volume_to_slices(anatomy(affine, tuple(shape)), geometry)
    expected = anatomy(geometry.matrix_affine, (*geometry.matrix, 3))
    torch.testing.assert_close(slices.movedim(0, -1), expected, atol=2e-3, rtol=0)
    assert expected.max() > 0.5


@given(
    plane=st.tuples(st.integers(2, 40), st.integers(2, 40)),
    count=st.integers(1, 4),
    slice_axis=st.integers(0, 2),
    image_size=st.none() | SIZES | MATRICES,
)
def test_volume_gets_its_shape_back_and_its_voxels_where_nothing_was_cropped(plane, count, slice_axis, image_size):
    shape, spacing = list(plane), [1.0, 1.0]
    shape.insert(slice_axis, count)
    spacing.insert(slice_axis, 3.0)
    geometry = Geometry.of(np.diag([*spacing, 1]), shape, image_size)
    volume = torch.rand(shape, generator=torch.Generator().manual_seed(0))
    slices = volume_to_slices(volume, geometry)
    assert slices.shape == (count, *geometry.matrix)
    back = slices_to_volume(slices, geometry)
    assert back.shape == volume.shape and back.is_contiguous()
    if all(size <= of_scan for size, of_scan in zip(plane, geometry.matrix)):
        assert torch.equal(back, volume)


@pytest.mark.parametrize(
    ("spacing", "axis"),
    [((5, 1, 1), 0), ((1, 4, 1), 1), ((0.9, 0.9, 1.2), 2), ((1, 1, 1), 2), ((2, 2, 1), 1), ((1, 1.00001, 1), 2)],
)
def test_slices_lie_across_the_thickest_axis_and_the_last_of_equal_ones(spacing, axis):
    geometry = Geometry.of(rotated_affine(spacing), (20, 22, 24), None)
    assert geometry.slice_axis == axis
    assert geometry.plane == tuple(np.delete((20, 22, 24), axis))


def test_geometry_survives_json():
    geometry = Geometry.of(rotated_affine((1, 1, 3)), (20, 22, 24), 32)
    assert Geometry.from_dict(json.loads(json.dumps(geometry.as_dict()))) == geometry


@pytest.mark.parametrize(
    ("image_size", "matrix"), [(256, (256, 256)), ([64, 96], (64, 96)), ((16, 32), (16, 32)), (None, (192, 224))]
)
def test_image_size_is_a_number_a_pair_or_the_volumes_own_padded_to_16(image_size, matrix):
    assert matrix_for((181, 217), image_size) == matrix


def test_own_matrix_that_16_divides_stays_as_it_is():
    assert matrix_for((160, 256), None) == (160, 256)


@pytest.mark.parametrize("image_size", [250, [256], [256, 256, 256], "big", "ab", 0, -16, [256, 100], 256.0, True])
def test_other_image_size_is_refused_at_construction(image_size):
    with pytest.raises(BundleError, match="image_size is a multiple of 16.*not "):
        VolumeToSlicesd(image_size=image_size)


def test_transform_takes_the_geometry_of_the_last_key_and_leaves_the_item_alone():
    affine = torch.from_numpy(rotated_affine((1, 1, 4)))
    t1 = MetaTensor(torch.rand(1, 20, 22, 5), affine=torch.eye(4))
    t2 = MetaTensor(torch.rand(1, 20, 22, 5), affine=affine)
    item = {"t1": t1, "t2": t2, "subject": "s"}
    output = VolumeToSlicesd(keys=["t1", "t2"], image_size=None)(item)
    assert item["t2"] is t2 and "geometry" not in item and output["subject"] == "s"
    np.testing.assert_allclose(output["geometry"].affine, affine.numpy())
    assert output["geometry"].shape == (20, 22, 5) and output["geometry"].matrix == (32, 32)
    for key, volume in (("t1", t1), ("t2", t2)):
        assert output[key].shape == (5, 32, 32)
        back = slices_to_volume(output[key], output["geometry"])
        assert torch.equal(torch.as_tensor(back), torch.as_tensor(volume[0]))
