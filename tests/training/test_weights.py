"""The right weights are loaded, others refused in one sentence, and a resumed training ends where it would have."""

from __future__ import annotations

import json
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch
from ignite.engine import Engine, Events
from torch import nn

from bundle.errors import BundleError
from bundle.networks import DuDoRNet, MANet, UNetT2, Xiang, ZeroFilled
from bundle.training.resume import TrainingCheckpoints
from bundle.training.weights import BEST, LAST, channels_of, find_checkpoint, load_weights, stage_of, start_from


@pytest.fixture
def weights(tmp_path: Path) -> tuple[MANet, str]:
    """A tiny network and the file of its weights."""
    torch.manual_seed(0)
    network = MANet(channels=4)
    torch.save(network.state_dict(), tmp_path / BEST)
    return network, str(tmp_path / BEST)


def same_weights(first: nn.Module, second: nn.Module) -> bool:
    others = second.state_dict()
    return all(torch.equal(value, others[name]) for name, value in first.state_dict().items())


def test_checkpoint_is_the_one_given_else_the_trained_else_the_shipped(tmp_path):
    given, trained, shipped = tmp_path / "given.pt", tmp_path / "out" / "model.pt", tmp_path / "models" / "model.pt"
    for path in (given, trained, shipped):
        path.parent.mkdir(exist_ok=True)
        path.touch()
    out, root = str(tmp_path / "out"), str(tmp_path)
    assert find_checkpoint(str(given), out, root) == str(given)
    assert find_checkpoint(None, out, root) == str(trained)
    trained.unlink()
    assert find_checkpoint(None, out, root) == str(shipped)
    shipped.unlink()
    with pytest.raises(BundleError, match="models.model.pt does not exist; give another with --checkpoint FILE"):
        find_checkpoint(None, out, root)


def test_checkpoint_that_is_given_is_not_replaced_by_another(tmp_path):
    (tmp_path / BEST).touch()
    with pytest.raises(BundleError, match="typo.pt does not exist"):
        find_checkpoint(str(tmp_path / "typo.pt"), str(tmp_path), str(tmp_path))


def test_channels_are_read_from_the_weights(weights, tmp_path):
    network, path = weights
    assert channels_of(path) == 4
    torch.save({"network": network.state_dict(), "epoch": 3}, tmp_path / LAST)
    assert channels_of(str(tmp_path / LAST)) == 4


@pytest.mark.parametrize("network", [MANet(4), UNetT2(6), Xiang(5), DuDoRNet(7)], ids=lambda n: type(n).__name__)
def test_channels_are_read_from_the_weights_of_every_network(network, tmp_path):
    torch.save(network.state_dict(), tmp_path / "x.pt")
    parameters = {"MANet": 4, "UNetT2": 6, "Xiang": 5, "DuDoRNet": 7}
    assert channels_of(str(tmp_path / "x.pt")) == parameters[type(network).__name__]


@pytest.mark.parametrize(
    ("network", "stage"), [(MANet(4), "both"), (MANet(4, stage="image"), "image"), (UNetT2(4), "both")]
)
def test_manets_stage_is_read_from_the_weights(network, stage, tmp_path):
    torch.save(network.state_dict(), tmp_path / "model.pt")
    assert stage_of(str(tmp_path / "model.pt")) == stage


def test_a_training_starts_from_the_weights_that_are_given_and_else_from_its_own(tmp_path):
    given, own = MANet(4), MANet(4)
    torch.save(given.state_dict(), tmp_path / "model.pt")
    before = {name: value.clone() for name, value in own.state_dict().items()}
    assert all(torch.equal(value, before[name]) for name, value in start_from(own, "null").state_dict().items())
    start_from(own, str(tmp_path / "model.pt"))
    assert all(torch.equal(value, own.state_dict()[name]) for name, value in given.state_dict().items())


def test_a_network_without_weights_needs_no_checkpoint_and_another_one_does(weights):
    load_weights(ZeroFilled(), None)
    with pytest.raises(BundleError, match="give one with --checkpoint"):
        load_weights(weights[0], None)


@pytest.mark.parametrize("key", [None, "network", "state_dict"])
def test_weights_are_loaded_from_model_last_and_lightning_files(weights, tmp_path, key):
    network, _ = weights
    state = network.state_dict()
    torch.save(state if key is None else {key: state, "epoch": 3}, tmp_path / "other.pt")
    torch.manual_seed(1)
    other = MANet(channels=4)
    assert not same_weights(other, network)
    assert load_weights(other, str(tmp_path / "other.pt")) is other and same_weights(other, network)


def test_published_weights_are_converted(shared_reference, tmp_path):
    shapes = json.loads((shared_reference / "manet_state_dict_shapes.json").read_text())
    published = {key: torch.full(shape, number / 1000) for number, (key, shape) in enumerate(shapes.items())}
    torch.save({"state_dict": published}, tmp_path / "published.ckpt")
    network = load_weights(MANet(), str(tmp_path / "published.ckpt"))
    stem = published["UNet_img.conv1T1.weight"]
    assert torch.equal(network.image_stage.t1_stream.stem.weight, stem)
    assert channels_of(str(tmp_path / "published.ckpt")) == 64


def test_weights_of_another_size_are_refused_with_both_shapes(weights):
    network, path = weights
    larger = MANet(channels=8)
    before = {name: value.clone() for name, value in larger.state_dict().items()}
    with pytest.raises(BundleError, match=r"its .* has shape \(.*\b4\b.*this one's \(.*\b8\b") as error:
        load_weights(larger, path)
    assert path in str(error.value) and "set channels" in str(error.value)
    assert all(torch.equal(value, before[name]) for name, value in larger.state_dict().items())


@pytest.mark.parametrize(
    ("stages", "sentence"), [(("both", "image"), "this one has no such"), (("image", "both"), "holds no kspace")]
)
def test_weights_with_other_names_are_refused_and_the_first_one_named(tmp_path, stages, sentence):
    saved, wanted = (MANet(channels=4, stage=stage) for stage in stages)
    torch.save(saved.state_dict(), tmp_path / BEST)
    with pytest.raises(BundleError, match=f"{sentence}.*") as error:
        load_weights(wanted, str(tmp_path / BEST))
    assert "kspace_stage" in str(error.value)


@pytest.mark.parametrize(
    "content",
    [b"", b"hello world\n", b"<html></html>", b"\x1f\x8b" + bytes(range(200)), b"\x80\x02garbage", b"cos\nsystem\n."],
    ids=["empty", "text", "html", "gzip", "pickle", "code"],
)
def test_file_that_is_no_checkpoint_is_refused(tmp_path, content):
    (tmp_path / "x.pt").write_bytes(content)
    with pytest.raises(BundleError, match="x.pt is not a checkpoint that can be read"):
        channels_of(str(tmp_path / "x.pt"))


@pytest.mark.parametrize("share", [0.1, 0.5, 0.99])
def test_checkpoint_that_was_cut_short_is_refused(weights, share):
    network, path = weights
    content = Path(path).read_bytes()
    Path(path).write_bytes(content[: int(share * len(content))])
    with pytest.raises(BundleError, match="was it cut short"):
        load_weights(network, path)


@pytest.mark.parametrize(
    "content", [[1], torch.zeros(3), {1: torch.zeros(3)}, {"network": 3}, {"image_stage.t1_stream.stem.weight": 3}, {}]
)
def test_file_that_holds_something_else_is_refused(tmp_path, content):
    torch.save(content, tmp_path / "x.pt")
    with pytest.raises(BundleError, match="x.pt (holds no state dict|does not hold the weights)"):
        channels_of(str(tmp_path / "x.pt"))


class Training:
    """A tiny training that draws from torch's generator, whose validation metric is given epoch by epoch."""

    def __init__(self, folder: Path, scores: list[float], resume: bool = False, seed: int = 0) -> None:
        torch.manual_seed(seed)
        self.network = nn.Linear(3, 1)
        self.optimizer = torch.optim.Adam(self.network.parameters(), lr=0.1)
        self.scheduler = torch.optim.lr_scheduler.StepLR(self.optimizer, step_size=2)
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


def test_resuming_a_finished_training_trains_no_further(tmp_path):
    done = Training(tmp_path, [0.1, 0.2]).run(2)
    again = Training(tmp_path, [0.1, 0.2], resume=True, seed=5).run(2)
    assert again.epochs == [] and same_weights(again.network, done.network)


def test_training_starts_anew_unless_asked_to_resume_and_where_there_is_nothing(tmp_path):
    Training(tmp_path, [0.1, 0.2]).run(1)
    assert Training(tmp_path, [0.1, 0.2]).run(2).epochs == [1, 2]
    assert Training(tmp_path / "empty", [0.1], resume=True).run(1).epochs == [1]


def test_metric_that_is_no_number_makes_no_best_weights(tmp_path):
    Training(tmp_path, [float("nan")]).run(1)
    assert [path.name for path in tmp_path.iterdir()] == [LAST]


def test_resuming_from_another_networks_checkpoint_is_refused(tmp_path):
    Training(tmp_path, [0.1]).run(1)
    training = Training(tmp_path, [0.1, 0.2], resume=True)
    other = TrainingCheckpoints(str(tmp_path), nn.Linear(5, 1), None, None, None, {}, resume=True)
    with pytest.raises(BundleError, match=r"weight has shape \(1, 3\), this one's \(1, 5\)"):
        other._resume(training.engine)
