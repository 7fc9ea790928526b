"""Lesions of known contrast give that contrast; what k-space holds of them is what an independent FFT says."""

from __future__ import annotations

import numpy as np
import pytest

from bundle.errors import BundleError
from bundle.evaluation.lesions import energy_sampled, find_lesions, measure_lesions

SHAPE = (48, 40, 6)
ALL = np.ones(SHAPE[:2], bool)


def ball(row: float, column: float, index: float, radius: float) -> np.ndarray:
    """Voxels as thick as wide."""
    y, x, z = np.ogrid[: SHAPE[0], : SHAPE[1], : SHAPE[2]]
    return (y - row) ** 2 + (x - column) ** 2 + (z - index) ** 2 <= radius**2


def head(tissue: float, *lesions: tuple[np.ndarray, float]) -> np.ndarray:
    """Uniform tissue in air, and lesions of a value each."""
    volume = np.zeros(SHAPE, np.float32)
    volume[4:-4, 4:-4] = tissue
    for mask, value in lesions:
        volume[mask] = value
    return volume


def measure(mask: np.ndarray, reference: np.ndarray, sampled: np.ndarray = ALL, **images: np.ndarray) -> list[dict]:
    return measure_lesions(mask, head(200, (mask, 160)), reference, images, sampled)


def test_a_ball_of_known_contrast_returns_it_and_half_of_it_in_an_image_that_lost_half():
    mask = ball(20, 22, 3, 2)
    images = {"half": head(90, (mask, 115)), "turned": head(80, (mask, 70)), "same": head(7, (mask, 57))}
    (row,) = measure(mask, head(100, (mask, 150)), **images)
    assert (row["row"], row["column"], row["slice"], row["voxels"]) == (20, 22, 3, 33)
    assert row["t2_contrast"] == pytest.approx(0.5) and row["t1_contrast"] == pytest.approx(-0.2)
    assert [row[name] for name in images] == pytest.approx([0.5, -0.2, 1.0])  # whatever the brightness of the tissue
    assert row["left_out"] == "" and row["energy_sampled"] == pytest.approx(1)


def test_the_share_of_energy_is_that_of_the_lesion_alone_at_the_points_that_were_sampled():
    mask, sampled = ball(20, 22, 3, 2), ALL.copy()
    sampled[:, ::3] = False
    (row,) = measure(mask, head(100, (mask, 150)), sampled)
    energy = np.abs(np.fft.fftshift(np.fft.fft2(50.0 * mask, axes=(0, 1)), axes=(0, 1))) ** 2
    assert row["energy_sampled"] == pytest.approx(energy[sampled].sum() / energy.sum())
    assert energy_sampled(mask.astype(float), 0 * ALL) == 0


def test_the_ring_lies_in_the_lesions_slices_and_leaves_out_its_edge_other_lesions_and_the_background():
    mask, neighbour = ball(20, 22, 3, 1), ball(20, 27, 3, 1)
    found = find_lesions(mask | neighbour | ball(6, 8, 1, 1), head(100))
    near_air, place = found[0], found[1]
    whole = np.zeros(SHAPE, bool)
    whole[place.box] = place.ring
    rows, columns, slices = np.nonzero(whole)
    distance = np.abs(rows - 20) + np.abs(columns - 22) - (slices == 3)
    assert set(slices) == {2, 3, 4} and distance.min() == 2 and distance.max() == 3
    assert not (whole & (neighbour | np.roll(neighbour, -1, axis=1))).any()
    air = np.zeros(SHAPE, bool)
    air[near_air.box] = near_air.ring
    assert np.argwhere(air)[:, 0].min() == 4


def test_touching_by_faces_makes_one_lesion_and_by_edges_two():
    mask = np.zeros(SHAPE, bool)
    mask[20, 20, 2] = mask[20, 20, 3] = mask[21, 21, 3] = True
    assert [row["voxels"] for row in measure(mask, head(100, (mask, 150)))] == [2, 1]


@pytest.mark.parametrize(
    ("value", "surroundings", "why"),
    [
        (115, 0, "too faint in the reference"),
        (70, 0, "too faint in the reference"),
        (130, 40, "surroundings too varied"),
        (150, 0, ""),
    ],
)
def test_a_lesion_without_contrast_to_divide_by_is_left_out_and_says_why(value, surroundings, why):
    mask = ball(20, 22, 3, 2)
    stripes = np.indices(SHAPE).sum(axis=0) % 3 - 1
    reference = head(100) + surroundings * stripes * (head(1) > 0)
    reference[mask] = value
    (row,) = measure(mask, reference.astype(np.float32), image=head(100, (mask, 150)))
    assert row["left_out"] == why and np.isnan(row["image"]) == bool(why)


def test_a_lesion_in_air_has_no_ring():
    mask = ball(1, 1, 3, 1)
    (row,) = measure(mask, head(100, (mask, 150)))
    assert row["left_out"] == "too few voxels around it" and np.isnan(row["t2_contrast"])


def test_volumes_of_another_shape_are_refused():
    with pytest.raises(BundleError, match="mask has shape .*48, 40, 6.*, but the image "):
        measure(ball(20, 22, 3, 2), head(100), image=head(100)[1:])
