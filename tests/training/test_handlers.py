"""The trainer's handlers: one line an epoch, and a bar for terminals only."""

from __future__ import annotations

import logging
from types import SimpleNamespace

import pytest
import torch
from ignite.engine import Engine, Events
from monai.engines import SupervisedTrainer

from bundle.training.curves import History
from bundle.training.handlers import ClipGradients, EpochLines, EpochSeed, GradientsFirst, LossProgress


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


@pytest.mark.parametrize(("target", "step"), [(1.0, 1.0), (1000.0, 2.0)])
def test_a_gradient_is_cut_to_its_greatest_length_before_the_step_and_a_short_one_is_left(target, step):
    network = torch.nn.Linear(1, 1, bias=False)
    torch.nn.init.zeros_(network.weight)
    trainer = SupervisedTrainer(
        device=torch.device("cpu"),
        max_epochs=1,
        train_data_loader=[{"image": torch.ones(1, 1), "label": torch.full((1, 1), target)}],
        network=network,
        optimizer=torch.optim.SGD(network.parameters(), lr=1.0),
        loss_function=lambda output, label: 0.5 * (output - label).square().sum(),  # gradient: -target
        train_handlers=[ClipGradients(network, max_norm=2.0)],
    )
    trainer.run()
    assert network.weight.item() == pytest.approx(step, rel=1e-4)


def test_gradients_have_their_memory_before_the_first_pass_and_keep_it():
    network = torch.nn.Sequential(torch.nn.Conv2d(4, 8, 3), torch.nn.Conv2d(8, 2, 3))
    network.to(memory_format=torch.channels_last)
    network[0].bias.requires_grad_(False)
    places = []

    def make_gradients(engine, batch):
        gradients = [parameter.grad for parameter in network.parameters() if parameter.requires_grad]
        places.append([gradient.data_ptr() for gradient in gradients])
        network(batch).sum().backward()
        assert all(gradient.any() for gradient in gradients)
        for gradient in gradients:
            gradient.zero_()

    trainer = Engine(make_gradients)
    GradientsFirst(network).attach(trainer)
    trainer.run([torch.ones(1, 4, 8, 8)] * 2)
    assert places[0] == places[1]
    assert network[0].bias.grad is None
    assert network[1].weight.grad.is_contiguous(memory_format=torch.channels_last)


@pytest.mark.parametrize("epoch_length", [None, 3, 2, 5])
def test_an_epoch_that_is_not_once_through_the_loader_is_told(epoch_length, caplog):
    trainer = Engine(lambda engine, batch: None)
    EpochSeed([]).attach(trainer)
    trainer.run([0, 1, 2], epoch_length=epoch_length)
    told = f"An epoch is {epoch_length} batches, and all slices are 3" in caplog.text
    assert told == (epoch_length in (2, 5))
