"""An evaluation with masks leaves a row a lesion, medians by size and pictures; without masks nothing."""

from __future__ import annotations

import json

import nibabel as nib
import numpy as np
import pandas as pd
import pytest
import torch

from bundle.data.prepared import PreparedVolumes
from bundle.data.slices import Geometry
from bundle.errors import BundleError
from bundle.evaluation import LesionTables
from bundle.evaluation.lesion_tables import by_volume
from tests.conftest import ALIGNMENT

from .test_handlers import evaluate

SHAPE = (64, 64, 3)


def two_spots() -> np.ndarray:
    """Of 45 and of 9 voxels."""
    mask = np.zeros(SHAPE, np.uint8)
    mask[20:23, 20:25], mask[40:43, 30:33, 1] = 1, 1
    return mask


def spotted(item: dict) -> dict:
    """Preprocessing: tissue in air with the spots twice as bright, in voxels of 5 x 1 x 1 mm."""
    volume = np.zeros(SHAPE, np.float32)
    volume[8:-8, 8:-8] = 100
    t2 = torch.from_numpy(volume + 100 * two_spots()).movedim(-1, 0)
    geometry = Geometry.of(np.diag([1.0, 1.0, 5.0, 1.0]), SHAPE, None)
    return {"t1": torch.ones_like(t2), "t2": t2, "geometry": geometry, "alignment": ALIGNMENT}


def beyond_t1(item: dict) -> dict:
    """The same where T1 has nothing."""
    prepared = spotted(item)
    return prepared | {"t1": torch.zeros_like(prepared["t1"])}


@pytest.fixture
def volumes(tmp_path):
    nib.save(nib.Nifti1Image(two_spots(), np.diag([1.0, 1, 5, 1])), tmp_path / "mask.nii")
    item = {"subject": "s", "session": "1", "t1": "1.nii", "t2": "2.nii", "lesions": str(tmp_path / "mask.nii")}
    without = {"subject": "t", "t1": "3.nii", "t2": "4.nii"}
    return PreparedVolumes([item, without], spotted, tmp_path / "prepared")


def test_an_evaluation_writes_a_row_a_lesion_medians_by_size_and_a_figure(volumes, tmp_path, capsys):
    evaluate(volumes, LesionTables(str(tmp_path), volumes, "ZF"))
    table = pd.read_csv(tmp_path / "lesions.csv", keep_default_na=False)
    assert list(table.subject) == ["s", "s"] and list(table.volume) == ["s_1", "s_1"] and list(table.lesion) == [1, 2]
    assert list(table.volume_ml) == pytest.approx([0.225, 0.045])
    assert list(table.t2_contrast) == pytest.approx([1, 1])
    assert list(table.survives) == list(table.zf_survives)  # the network is zero filling
    assert table.survives.between(0.05, 0.95).all() and table.energy_sampled.between(0.05, 0.95).all()
    summary = json.loads((tmp_path / "lesions_summary.json").read_text())
    assert summary["lesions"]["all"] == summary["lesions"]["s"]
    small, large = summary["lesions"]["all"]
    assert (small["to_ml"], small["lesions"], large["lesions"]) == (0.1, 1, 1)
    assert large["quartiles"]["survives"][1] == pytest.approx(table.survives[0], rel=1e-3)
    assert "0.1 to 1 ml" in capsys.readouterr().out
    assert (tmp_path / "figures" / "lesions.png").stat().st_size > 10_000


def test_lesions_beyond_t1s_field_of_view_have_no_contrast_in_it_and_all_else(volumes, tmp_path):
    item = {"subject": "s", "t1": "1.nii", "t2": "2.nii", "lesions": str(tmp_path / "mask.nii")}
    volumes = PreparedVolumes([item], beyond_t1, tmp_path / "beyond")
    evaluate(volumes, LesionTables(str(tmp_path), volumes, "ZF"))
    for row in json.loads((tmp_path / "lesions_summary.json").read_text())["lesions"]["all"]:
        assert row["quartiles"]["t1_contrast"] == [None] * 3 and 0 < row["quartiles"]["survives"][1] < 1
    assert (tmp_path / "figures" / "lesions.png").exists()


def test_where_no_volume_has_a_mask_nothing_is_written(make_volumes, tmp_path):
    volumes = make_volumes(count=1)
    evaluate(volumes, LesionTables(str(tmp_path / "out"), volumes))
    assert not (tmp_path / "out").exists()


def test_a_mask_that_cannot_be_read_is_refused_before_the_evaluation(volumes, tmp_path):
    (tmp_path / "mask.nii").unlink()
    with pytest.raises(BundleError, match="mask.nii does not exist"):
        LesionTables(str(tmp_path), volumes)


def test_lesions_that_are_left_out_are_counted_and_have_no_part_in_the_medians():
    values = {"t2_contrast": 0.5, "t1_contrast": 0.0, "energy_sampled": 0.4}
    rows = [(0.2, 0.5, ""), (0.3, 0.7, ""), (0.4, np.nan, "too faint in the reference"), (5.0, np.nan, "too faint")]
    table = pd.DataFrame(
        [{"volume_ml": v, "survives": s, "zf_survives": s, "left_out": w} | values for v, s, w in rows]
    )
    middle, large = by_volume(table)
    assert (middle["lesions"], middle["left_out"], middle["quartiles"]["survives"][1]) == (3, 1, 0.6)
    assert (large["from_ml"], large["to_ml"], large["quartiles"]) == (1.0, None, None)
