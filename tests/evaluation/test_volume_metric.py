"""Metrics of volumes in an evaluator: a value each, their mean, and each computed once."""

from __future__ import annotations

import pickle

import numpy as np
import pytest
import torch
from ignite.engine import Engine, Events
from monai.data import MetaTensor

from bundle.errors import BundleError
from bundle.evaluation.metrics import psnr, ssim
from bundle.evaluation.volume_metric import SCORES, VolumeMetric, volume_metrics


def volumes(seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """A noisy prediction and its reference, ``(24, 28, 6)``."""
    random = np.random.default_rng(seed)
    reference = 500 * random.random((24, 28, 6))
    prediction = np.abs(reference + 40 * random.standard_normal(reference.shape))
    return prediction.astype(np.float32), reference.astype(np.float32)


def test_volume_metric_returns_a_value_a_volume_and_their_mean():
    first, second = volumes(seed=1), volumes(seed=2)
    y_pred, y = (torch.from_numpy(np.stack(pair))[:, None] for pair in zip(first, second, strict=True))
    metric = VolumeMetric("ssim")
    values = metric(y_pred, y)
    assert values.shape == (2, 1) and values.dtype == torch.float32
    expected = [ssim(p, r).item() for p, r in zip(y_pred[:, 0], y[:, 0])]
    np.testing.assert_allclose(values[:, 0].numpy(), expected, atol=1e-6)
    assert metric.aggregate().item() == pytest.approx(np.mean(expected), abs=1e-6)


def test_mean_over_subjects_shows_a_failed_subject():
    prediction, reference = (torch.from_numpy(v)[None, None] for v in volumes())
    metric = VolumeMetric("psnr")
    metric(prediction, reference)
    metric(prediction * torch.nan, reference)
    assert metric.aggregate().isnan()
    metric.reset()
    with pytest.raises(BundleError, match="No volume"):
        metric.aggregate()


def test_handlers_for_network_and_zero_filling_run_side_by_side_and_start_afresh_each_run():
    prediction, reference = (torch.from_numpy(v)[None] for v in volumes())
    other = prediction[..., :4], reference[..., :4]  # subjects have different numbers of slices
    shared = []

    def evaluate(engine, batch):
        return [{"pred": batch[0], "zf_pred": batch[0] * 0, "label": batch[1]}]

    engine = Engine(evaluate)
    for name, metric in volume_metrics(["val_psnr", "val_zf_psnr"]).items():
        metric.attach(engine, name)
    engine.add_event_handler(Events.ITERATION_COMPLETED, lambda engine: shared.append(engine.state.output[0][SCORES]))
    state = engine.run([(MetaTensor(prediction), MetaTensor(reference)), other], max_epochs=1)
    expected = [psnr(prediction[0], reference[0]).item(), psnr(other[0][0], other[1][0]).item()]
    assert state.metrics["val_psnr"] == pytest.approx(np.mean(expected), abs=1e-4)
    assert state.metrics["val_zf_psnr"] < state.metrics["val_psnr"]
    assert state.metric_details["val_psnr"].flatten().tolist() == pytest.approx(expected, abs=1e-4)
    assert [scores["psnr"] for scores in shared] == pytest.approx(expected, abs=1e-4)
    assert all(scores.keys() == {"psnr", "zf_psnr"} for scores in shared)
    again = engine.run([other], max_epochs=1)
    assert again.metrics["val_psnr"] == pytest.approx(expected[1], abs=1e-4)


def test_unknown_metric_or_profile_is_refused_by_name():
    with pytest.raises(BundleError, match="mssim"):
        volume_metrics(["val_mssim"])
    with pytest.raises(BundleError, match="brain"):
        volume_metrics(["val_psnr"], profile="brain")


def test_volume_metric_pickles():
    copy = pickle.loads(pickle.dumps(VolumeMetric("nmse", "foreground")))
    assert (copy.metric, copy.profile) == ("nmse", "foreground")
