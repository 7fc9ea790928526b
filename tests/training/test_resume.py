"""A resumed training ends where it would have, and the best weights are those of the highest metric."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace

import pytest
import torch
from ignite.engine import Engine, Events
from torch import nn

from bundle.errors import BundleError
from bundle.training.resume import TrainingCheckpoints, check_resumable
from bundle.training.weights import BEST, LAST, load_weights
from tests.test_sole_writer import held_elsewhere


def same_weights(first: nn.Module, second: nn.Module) -> bool:
    others = second.state_dict()
    return all(torch.equal(value, others[name]) for name, value in first.state_dict().items())


class Training:
    """A tiny training that draws from torch's generator, whose validation metric is given epoch by epoch."""

    def __init__(
        self,
        folder: Path,
        scores: list[float],
        resume: bool = False,
        seed: int = 0,
        settings: dict | None = None,
        step_size: int = 2,
    ) -> None:
        torch.manual_seed(seed)
        self.network = nn.Linear(3, 1)
        self.optimizer = torch.optim.Adam(self.network.parameters(), lr=0.1)
        self.scheduler = torch.optim.lr_scheduler.StepLR(self.optimizer, step_size=step_size)
        self.history: dict[str, list] = {}
        self.epochs: list[int] = []
        state = SimpleNamespace(metrics={}, key_metric_name="val_ssim")
        self.engine = Engine(self._step)

        @self.engine.on(Events.EPOCH_COMPLETED)
        def _end_epoch(engine: Engine) -> None:
            self.scheduler.step()
            self.epochs.append(engine.state.epoch)
            state.metrics["val_ssim"] = scores[engine.state.epoch - 1]
            self.history.setdefault("ssim", []).append((engine.state.epoch, scores[engine.state.epoch - 1]))

        TrainingCheckpoints(
            output_dir=str(folder),
            network=self.network,
            optimizer=self.optimizer,
            lr_scheduler=self.scheduler,
            evaluator=SimpleNamespace(state=state),
            history=self.history,
            resume=resume,
            settings=settings,
        ).attach(self.engine)

    def _step(self, engine: Engine, batch: object) -> float:
        self.optimizer.zero_grad()
        loss = self.network(torch.randn(4, 3)).square().mean()
        loss.backward()
        self.optimizer.step()
        return loss.item()

    def run(self, epochs: int) -> Training:
        self.engine.run([0, 1], max_epochs=epochs)
        return self


def test_best_weights_are_those_of_the_highest_metric_and_last_those_of_the_last_epoch(tmp_path):
    scores = [0.3, 0.8, 0.5]
    second = Training(tmp_path / "two", scores).run(2)
    third = Training(tmp_path / "three", scores).run(3)
    assert sorted(path.name for path in (tmp_path / "three").iterdir()) == [LAST, BEST]
    best, last = (load_weights(nn.Linear(3, 1), str(tmp_path / "three" / name)) for name in (BEST, LAST))
    assert same_weights(best, second.network) and same_weights(last, third.network)
    assert not same_weights(best, last)


def test_resumed_training_ends_where_an_uninterrupted_one_does(tmp_path):
    scores = [0.3, 0.8, 0.5, 0.7]
    whole = Training(tmp_path / "whole", scores).run(4)
    Training(tmp_path / "parts", scores).run(2)
    torch.rand(7)  # another program's random state
    rest = Training(tmp_path / "parts", scores, resume=True, seed=9).run(4)
    assert rest.epochs == [3, 4] and same_weights(rest.network, whole.network)
    assert rest.history == whole.history and rest.scheduler.get_last_lr() == whole.scheduler.get_last_lr()
    best = [load_weights(nn.Linear(3, 1), str(tmp_path / name / BEST)) for name in ("whole", "parts")]
    assert same_weights(*best)  # the best epoch was before the interruption: it is not lost


def test_resuming_a_finished_training_trains_no_further_and_says_so(tmp_path, caplog):
    done = Training(tmp_path, [0.1, 0.2]).run(2)
    again = Training(tmp_path, [0.1, 0.2], resume=True, seed=5).run(2)
    assert again.epochs == [] and same_weights(again.network, done.network)
    assert "Nothing is left to train: give more epochs than the 2 that it had." in caplog.messages


def test_training_starts_anew_unless_asked_to_resume_and_where_there_is_nothing(tmp_path):
    Training(tmp_path, [0.1, 0.2]).run(1)
    assert Training(tmp_path, [0.1, 0.2]).run(2).epochs == [1, 2]
    assert Training(tmp_path / "empty", [0.1], resume=True).run(1).epochs == [1]


def test_a_training_is_refused_where_another_one_writes_and_its_folder_is_free_when_it_has_ended(tmp_path):
    with held_elsewhere(tmp_path):
        with pytest.raises(BundleError, match="Another training is writing to"):
            Training(tmp_path, [0.1]).run(1)
    assert Training(tmp_path, [0.1]).run(1).epochs == [1]
    with held_elsewhere(tmp_path):
        pass


def test_a_training_that_fails_tells_why_and_leaves_its_folder_free(tmp_path):
    with pytest.raises(IndexError):  # there is no score for the second epoch
        Training(tmp_path, [0.1]).run(2)
    with held_elsewhere(tmp_path):
        pass


def test_metric_that_is_no_number_makes_no_best_weights(tmp_path):
    Training(tmp_path, [float("nan")]).run(1)
    assert [path.name for path in tmp_path.iterdir()] == [LAST]


def test_resuming_from_another_networks_checkpoint_is_refused(tmp_path):
    Training(tmp_path, [0.1]).run(1)
    engine = Engine(lambda engine, batch: None)
    TrainingCheckpoints(str(tmp_path), nn.Linear(5, 1), None, None, None, {}, resume=True).attach(engine)
    with pytest.raises(BundleError, match=r"weight has shape \(1, 3\), this one's \(1, 5\)"):
        engine.run([0])


def test_resuming_from_weights_alone_is_refused(tmp_path):
    torch.save(nn.Linear(3, 1).state_dict(), tmp_path / LAST)
    with pytest.raises(BundleError, match="last.pt holds weights only, no training to go on from"):
        Training(tmp_path, [0.1], resume=True).run(1)


@pytest.mark.parametrize("lost", ["lr_scheduler", "random_state", "best", "history", "epoch"])
def test_resuming_from_half_a_training_is_refused(tmp_path, lost):
    Training(tmp_path, [0.1]).run(1)
    state = torch.load(tmp_path / LAST)
    del state[lost]
    torch.save(state, tmp_path / LAST)
    with pytest.raises(BundleError, match=f"last.pt holds no {lost}, so that no training can go on from it"):
        Training(tmp_path, [0.1, 0.2], resume=True).run(2)


def test_resuming_with_other_settings_is_refused_with_both_values_before_and_in_the_training(tmp_path):
    settings = {"learning_rate": 0.001, "center_fraction": None, "amp": "x"}
    Training(tmp_path, [0.1], settings=settings).run(1)
    before = (tmp_path / LAST).read_bytes()
    check_resumable(str(tmp_path), True, settings)
    for name, value, said in (
        ("learning_rate", 0.01, "0.001, and this run has 0.01"),
        ("center_fraction", 0.1, "null"),
    ):
        other = settings | {name: value}
        check_resumable(str(tmp_path), False, other)  # not resumed
        with pytest.raises(BundleError, match=f"last.pt was trained with {name} {said}.*; resume it with the same"):
            check_resumable(str(tmp_path), True, other)
        with pytest.raises(BundleError, match=f"was trained with {name}"):
            Training(tmp_path, [0.1, 0.2], resume=True, settings=other).run(2)
    assert (tmp_path / LAST).read_bytes() == before


def test_resuming_with_another_number_of_processes_is_refused(tmp_path, monkeypatch):
    Training(tmp_path, [0.1], settings={}).run(1)
    monkeypatch.setattr("bundle.training.resume.get_world_size", lambda: 2)
    with pytest.raises(BundleError, match="trained with number of processes 1, and this run has 2"):
        check_resumable(str(tmp_path), True, {})


def test_a_checkpoint_of_an_earlier_version_goes_on_with_a_line(tmp_path, caplog):
    Training(tmp_path, [0.1]).run(1)
    check_resumable(str(tmp_path), True, {"seed": 0})
    assert Training(tmp_path, [0.1, 0.2], resume=True, settings={"seed": 0}).run(2).epochs == [2]
    assert "does not say with which settings it was trained" in caplog.text


def test_a_schedule_that_was_made_for_another_length_is_kept_and_told(tmp_path, caplog):
    Training(tmp_path, [0.1]).run(1)
    resumed = Training(tmp_path, [0.1, 0.2], resume=True, step_size=3).run(2)
    assert "The learning rate keeps its schedule: step_size is 2, not 3." in caplog.text
    assert resumed.scheduler.step_size == 2


def test_the_best_weights_of_a_training_are_not_replaced_by_one_that_cannot_go_on_from_them(tmp_path):
    Training(tmp_path, [0.1]).run(1)
    (tmp_path / LAST).unlink()
    before = (tmp_path / BEST).read_bytes()
    with pytest.raises(BundleError, match="model.pt but no last.pt .*; give another output_dir, and --start_from"):
        check_resumable(str(tmp_path), True, {})
    check_resumable(str(tmp_path / "new"), True, {})
    assert (tmp_path / BEST).read_bytes() == before


def test_where_the_best_weights_are_gone_the_next_ones_are_written_with_a_line(tmp_path, caplog):
    Training(tmp_path, [0.8]).run(1)
    (tmp_path / BEST).unlink()
    resumed = Training(tmp_path, [0.8, 0.2], resume=True).run(2)
    assert "stands without model.pt, the best weights (0.8000)" in caplog.text
    assert same_weights(resumed.network, load_weights(nn.Linear(3, 1), str(tmp_path / BEST)))
