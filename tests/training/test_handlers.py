"""The trainer's handlers: one line an epoch, and a bar for terminals only."""

from __future__ import annotations

import logging
from types import SimpleNamespace

import torch
from ignite.engine import Engine, Events

from bundle.training.curves import History
from bundle.training.handlers import EpochLines, LossProgress


def train(tmp_path, validated: set[int]) -> dict[str, list]:
    """Two epochs of an engine that validates in some of them; the recorded curves."""
    evaluator = SimpleNamespace(state=SimpleNamespace(epoch=0, metrics={}))
    trainer = Engine(lambda engine, batch: {"loss": torch.tensor(float(batch))})
    trainer.optimizer = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=0.01)
    curves: dict[str, list] = {}

    @trainer.on(Events.EPOCH_COMPLETED)
    def validate() -> None:
        trainer.optimizer.param_groups[0]["lr"] /= 2  # as a schedule does, before the line is written
        if trainer.state.epoch in validated:
            evaluator.state.epoch = trainer.state.epoch
            evaluator.state.metrics = {"val_psnr": 31.254, "val_ssim": 0.9, "val_zf_psnr": 25.9, "val_zf_ssim": 0.694}

    for handler in (History(str(tmp_path), evaluator, curves), EpochLines(curves), LossProgress(desc="Training")):
        handler.attach(trainer)
    trainer.run([1, 2], max_epochs=2)
    return curves


def test_each_epoch_is_one_line_with_its_own_learning_rate(tmp_path, caplog, capsys):
    with caplog.at_level(logging.INFO, "bundle"):
        train(tmp_path, validated={1, 2})
    first, second = (record.getMessage() for record in caplog.records if record.name.startswith("bundle"))
    scores = "PSNR 31.25 dB (zero-filled 25.90), SSIM 0.9000 (0.6940)"
    assert first.startswith(f"Epoch 1/2: loss 1.5, {scores}, lr 0.01, 00:")
    assert second.startswith(f"Epoch 2/2: loss 1.5, {scores}, lr 0.005, 00:")
    assert capsys.readouterr().err == ""  # no terminal, no bar


def test_an_epoch_that_is_not_validated_shows_and_records_no_earlier_ones_metrics(tmp_path, caplog):
    with caplog.at_level(logging.INFO, "bundle"):
        curves = train(tmp_path, validated={1})
    assert caplog.messages[-1].startswith("Epoch 2/2: loss 1.5, lr 0.005, ")
    assert curves["loss"] == [(1, 1.5), (2, 1.5)] and [epoch for epoch, _ in curves["psnr"]] == [1]
