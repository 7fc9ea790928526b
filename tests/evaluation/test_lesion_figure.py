"""A lesion is cut out around its middle, upright and to scale, and labelled with what is kept of it."""

from __future__ import annotations

import numpy as np
import pytest

from bundle.data.slices import Geometry
from bundle.evaluation.lesion_figure import LesionCrop, lesion_figure

ROW = {"volume": "a$b", "row": 50, "column": 4, "slice": 1, "volume_ml": 0.25, "zf_survives": 0.31, "survives": -0.2}


def crop(column_mm: float) -> LesionCrop:
    mask = np.zeros((100, 60, 3), bool)
    mask[48:53, 3:6, 1] = True
    geometry = Geometry.of(np.diag([1.0, column_mm, 5.0, 1.0]), mask.shape, None)
    return LesionCrop.of([mask * level for level in (1.0, 2.0, 3.0, 4.0)], mask, ROW, geometry)


def test_a_lesion_is_cut_out_around_its_middle_as_far_as_the_image_goes_and_stands_upright():
    found = crop(2.0)
    assert {image.shape for image in (*found.images, found.mask)} == {(17, 49)}  # 24 mm to each side, columns go up
    assert found.aspect == 2 and np.array_equal(np.argwhere(found.mask[:, 24])[:, 0], [11, 12, 13])
    assert np.array_equal(crop(-2.0).mask, np.rot90(found.mask, 2))


def test_the_figure_labels_each_lesion_with_what_is_kept_of_it():
    figure = lesion_figure([(crop(2.0), ROW)], "Unrolled")
    heads = [panel.get_title() for panel in figure.axes]
    assert heads == ["a$b, slice 2, 0.25 ml", "zero-filled keeps 31%", "Unrolled keeps -20%", "reference"]
    assert figure.axes[3].images[0].get_clim() == pytest.approx((0, 4.8))
