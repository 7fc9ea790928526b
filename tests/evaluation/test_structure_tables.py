"""The summary of inserted structures, against figures that can be worked out by hand."""

from __future__ import annotations

import json

import numpy as np
import pandas as pd
import pytest

from bundle.evaluation.structure_tables import roc_area, summarise_structures, write_structures


def test_the_roc_area_is_the_share_of_pairs_in_the_right_order():
    assert roc_area([3.0, 2.0], [1.0, 0.0]) == 1
    assert roc_area([1.0, 0.0], [1.0, 0.0]) == 0.5
    assert roc_area([3.0, 0.5], [1.0, 0.0]) == 0.75


def table(survives: dict[float, float]) -> pd.DataFrame:
    """Ten places, five a side of the mean by 0.1, for each diameter."""
    rows = []
    for diameter, mean in survives.items():
        for place in range(10):
            values = {"survives": mean + 0.1 * (-1) ** place, "zf_survives": 0.1, "survives_ring": 0.1}
            values |= {"survives_sampled": 1.0, "survives_guessed": np.nan, "invented": np.nan}
            scores = {"score": 1.0, "score_without": 0.0, "score_full": place, "score_full_without": place}
            rows.append(
                {"where": "t2", "contrast": 0.5, "t1_contrast": -0.2, "diameter_mm": diameter} | values | scores
            )
    return pd.DataFrame(rows)


def test_means_have_an_interval_around_them_and_what_was_not_asked_is_not_there():
    (row,) = summarise_structures(table({4.0: 0.6}))["structures"]
    assert row["survives"] == pytest.approx(0.6) and 0.5 < row["survives_low"] < 0.6 < row["survives_high"] < 0.7
    half_width = (row["survives_high"] - row["survives_low"]) / 2
    assert half_width == pytest.approx(1.96 * 0.1 / np.sqrt(10), rel=0.25)
    assert (
        row["zf_survives_low"] == row["zf_survives_high"] == 0.1 and not {"invented", "survives_guessed"} & row.keys()
    )
    assert (row["n"], row["roc_area"], row["roc_area_full"]) == (10, 1, 0.5)


def test_two_contrasts_in_t1_at_one_in_t2_are_two_curves():
    strong, weak = (
        table({4.0: level}).assign(where="both", t1_contrast=t1) for level, t1 in ((0.6, -0.2), (0.4, -0.1))
    )
    summary = summarise_structures(pd.concat([strong, weak]))
    assert [(row["t1_contrast"], row["n"], row["survives"]) for row in summary["structures"]] == [
        (-0.2, 10, 0.6),
        (-0.1, 10, 0.4),
    ]
    assert [(row["t1_contrast"], row["survives"]) for row in summary["half_survives_from_mm"]] == [
        (-0.2, 4),
        (-0.1, None),
    ]


def test_the_filter_of_a_dark_structure_is_dark():
    (row,) = summarise_structures(table({4.0: 0.6}).assign(contrast=-0.5, score=-1.0))["structures"]
    assert row["roc_area"] == 1


def test_a_single_place_has_a_value_and_no_interval():
    (row,) = summarise_structures(table({4.0: 0.6}).head(1))["structures"]
    assert row["survives"] == pytest.approx(0.7) and row["survives_low"] is row["survives_high"] is None


@pytest.mark.parametrize(
    ("survives", "smallest"),
    [({2.0: 0.3, 4.0: 0.6, 8.0: 0.9}, 4), ({2.0: 0.6, 4.0: 0.4, 8.0: 0.9}, 8), ({2.0: 0.6, 4.0: 0.1}, None)],
)
def test_half_survives_from_the_size_on_above_which_no_size_falls_below_it(survives, smallest):
    (row,) = summarise_structures(table(survives))["half_survives_from_mm"]
    assert row["survives"] == smallest and row["zf_survives"] is None


def test_a_reconstruction_of_no_finite_values_has_no_figures_and_no_size(tmp_path):
    broken = table({4.0: 0.6, 8.0: 0.9}).assign(survives=np.nan, score=np.nan)
    broken = pd.concat([broken, broken.assign(where="t1")])
    write_structures(broken.assign(subject="a", volume="a_1", place=1).to_dict("records"), tmp_path, "Unrolled")
    summary = json.loads((tmp_path / "structures_summary.json").read_text())
    assert all(row["roc_area"] is None and "survives" not in row for row in summary["structures"])
    assert summary["half_survives_from_mm"][0]["survives"] is None
    assert (tmp_path / "figures" / "structures.png").exists() and (tmp_path / "structures.csv").exists()
