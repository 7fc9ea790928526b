"""What an evaluation writes agrees with itself: each metric is computed once, for table, summary and figure."""

from __future__ import annotations

import csv
import json
from unittest.mock import Mock

import pytest
from matplotlib.figure import Figure
from monai.data import DataLoader
from monai.engines import SupervisedEvaluator
from monai.inferers import SliceInferer
from monai.transforms import Compose, CopyItemsd

from bundle.acquisition import Acquisition, KspaceNoise, PrepareBatchWithTarget, VolumeDataset, make_mask
from bundle.evaluation import ComparisonFigures, SaveReconstructions, SubjectTables, UndoScaled, volume_metrics
from bundle.evaluation.metrics import METRICS
from bundle.networks import ZeroFilled

NAMES = [f"val_{prefix}{metric}" for prefix in ("", "zf_") for metric in METRICS]


def evaluate(volumes, *handlers, network=None, acquisition=None) -> SupervisedEvaluator:
    """Evaluate zero filling, by the network (or another one) and by the scan, on the prepared volumes."""
    acquisition = acquisition or Acquisition(make_mask("random", 4), KspaceNoise(0.05))
    evaluator = SupervisedEvaluator(
        device="cpu",
        val_data_loader=DataLoader(VolumeDataset(volumes, acquisition), batch_size=1),
        network=network or ZeroFilled(),
        inferer=SliceInferer(roi_size=[-1, -1], spatial_dim=2),
        prepare_batch=PrepareBatchWithTarget("reference"),
        postprocessing=Compose([UndoScaled("pred"), CopyItemsd("zero_filled", names="zf_pred")]),
        key_val_metric=volume_metrics(NAMES[:1]),
        additional_metrics=volume_metrics(NAMES[1:]),
        val_handlers=handlers,
    )
    evaluator.run()
    return evaluator


@pytest.fixture
def volumes(make_volumes):
    return make_volumes(count=3, slices=4, height=32, width=48)


def test_table_summary_and_engine_agree_and_each_metric_is_computed_once(volumes, tmp_path, monkeypatch):
    counted = {name: Mock(side_effect=metric) for name, metric in METRICS.items()}
    monkeypatch.setattr("bundle.evaluation.volume_metric.METRICS", counted)
    tables = SubjectTables(str(tmp_path), volumes, "fastmri_volume", {"acceleration": 4})
    evaluator = evaluate(volumes, tables, ComparisonFigures(volumes, str(tmp_path)))
    assert {metric.call_count for metric in counted.values()} == {2 * len(volumes)}
    with (tmp_path / "metrics.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert [row["subject"] for row in rows] == ["s0", "s1", "s2"]
    summary = json.loads((tmp_path / "metrics_summary.json").read_text())
    for name, mean in evaluator.state.metrics.items():
        column = name.removeprefix("val_")
        assert sum(float(row[column]) for row in rows) / 3 == pytest.approx(mean, rel=1e-3)
        assert summary["metrics"][column]["mean"] == pytest.approx(mean, rel=1e-5)
    assert [row["t1_rotation_degrees"] for row in rows] == ["5", "5", "5"]
    assert sorted(path.name for path in (tmp_path / "figures").iterdir()) == ["s0.png", "s1.png", "s2.png"]


def test_captions_are_the_metrics_of_the_whole_volume_and_go_to_tensorboard(volumes):
    class Writer:
        def __init__(self) -> None:
            self.figures: dict[str, Figure] = {}

        def add_figure(self, name: str, figure: Figure, epoch: int) -> None:
            self.figures[name] = figure

    writer, two = Writer(), Writer()
    figures = [ComparisonFigures(volumes, summary_writer=writer), ComparisonFigures(volumes, None, two, at_most=2)]
    details = evaluate(volumes, *figures).state.metric_details
    for row, figure in enumerate(writer.figures.values()):
        texts = [text.get_text() for axes in figure.axes for text in axes.texts]
        for prefix in ("val_", "val_zf_"):
            psnr, ssim = (details[prefix + name][row].item() for name in ("psnr", "ssim"))
            assert f"PSNR {psnr:.2f} dB   SSIM {ssim:.3f}" in texts
    assert list(writer.figures) == ["s0", "s1", "s2"] and list(two.figures) == ["s0", "s1"]


def test_reconstructions_are_handed_on_for_the_first_volumes_only_and_not_at_all_where_switched_off(volumes):
    handed: list[int] = []
    evaluate(
        volumes,
        SaveReconstructions(lambda item: handed.append(int(item["index"])), "true", 2),
        SaveReconstructions(lambda item: handed.append(-1), "false"),
    )
    assert handed == [0, 1]
