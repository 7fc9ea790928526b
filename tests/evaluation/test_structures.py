"""Structures have the size they are given, lie deep in quiet tissue, and are measured for what they are."""

from __future__ import annotations

import numpy as np
import pytest

from bundle.errors import BundleError
from bundle.evaluation.structures import Place, Structure, draw_places, tissue

SHAPE, SPACING = (96, 80), (1.0, 1.5)
PLACE = Place(2, 50, 40)


def head(slices: int = 4) -> np.ndarray:
    """Tissue of 100 with a fluid of 300 in the middle, in air."""
    y, x = np.ogrid[-48:48, -40:40]
    plane = 100.0 * (np.hypot(y, 1.5 * x) < 45) + 200.0 * (np.hypot(y, 1.5 * x) < 6)
    return np.repeat(plane[..., None], slices, axis=2)


@pytest.mark.parametrize("diameter", [2.0, 5.0, 12.0])
def test_a_structure_covers_half_its_height_over_its_diameter_in_both_directions(diameter):
    profile = Structure(Place(0, 200, 200), (0.1, 0.1), diameter, 0.05).profile((401, 401))
    covered = profile >= 0.5
    assert covered[200].sum() * 0.1 == pytest.approx(diameter, abs=0.1 + 1e-9)
    assert covered[:, 200].sum() == covered[200].sum() and profile[200, 200] == pytest.approx(1)
    assert covered.sum() * 0.01 == pytest.approx(np.pi * diameter**2 / 4, rel=0.05)


def test_the_matched_filter_gives_a_structures_amplitude_whatever_the_tissue_and_whatever_is_far_away():
    structure = Structure(PLACE, SPACING, 6, 0.5)
    image = 100 + 25 * structure.profile(SHAPE)
    image[:20] = 700
    assert structure.filtered(image) == pytest.approx(25)
    assert structure.filtered(2 * image) == pytest.approx(50)
    assert structure.filtered(np.full(SHAPE, 100.0)) == pytest.approx(0, abs=1e-9)


def test_places_lie_deep_in_the_head_outside_fluid_and_what_is_to_be_avoided_in_as_many_slices_as_there_are():
    avoid = np.zeros((*SHAPE, 4), bool)
    avoid[60:70, 30:50] = True
    places = draw_places(head(), head(), SPACING, 12, seed=1, avoid=avoid)
    assert sorted(place.slice for place in places) == sorted([0, 1, 2, 3] * 3)
    for place in places:
        distance = np.hypot(place.row - 48, 1.5 * (place.column - 40))
        assert 6 < distance <= 45 - 20 + 1 and place.row < 60
    assert places == draw_places(head(), head(), SPACING, 12, seed=1, avoid=avoid)
    assert places != draw_places(head(), head(), SPACING, 12, seed=2, avoid=avoid)


def test_a_place_where_t1_shows_nothing_is_none():
    places = draw_places(head() * (np.arange(4) == 2), head(), SPACING, 3, seed=0)
    assert {place.slice for place in places} == {2}


def test_a_head_without_depth_has_no_place():
    with pytest.raises(BundleError, match="No voxel of T2 lies 20 mm inside the head"):
        draw_places(head(), head(), (0.1, 0.1), 3, seed=0)


def test_the_tissue_of_a_place_is_the_median_around_it():
    image = head()[..., 0]
    image[PLACE.row, PLACE.column + 1] = 1e6
    assert tissue(image, Place(0, 65, 40), SPACING) == 100
