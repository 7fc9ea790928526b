"""The right weights are loaded, and others refused in one sentence."""

from __future__ import annotations

import copy
import hashlib
import json
from pathlib import Path

import pytest
import torch
from torch import nn

from bundle.errors import BundleError
from bundle.networks import MANet, UNetT2, ZeroFilled
from bundle.training.weights import BEST, Weights, load_weights, read_weights, start_from


@pytest.fixture
def weights(tmp_path: Path) -> tuple[MANet, str]:
    """A tiny network and the file of its weights."""
    torch.manual_seed(0)
    network = MANet(4, depth=1)
    torch.save(network.state_dict(), tmp_path / BEST)
    return network, str(tmp_path / BEST)


def same_weights(first: nn.Module, second: nn.Module) -> bool:
    others = second.state_dict()
    return all(torch.equal(value, others[name]) for name, value in first.state_dict().items())


def test_settings_are_read_from_the_weights(tmp_path):
    torch.save(MANet(4, stage="image", guidance="SC").state_dict(), tmp_path / BEST)
    weights = read_weights(None, str(tmp_path), ".")
    assert [weights.setting(name) for name in ("channels", "stage", "guidance")] == [4, "image", "SC"]


def test_a_setting_that_the_network_of_the_weights_lacks_is_refused(tmp_path):
    torch.save(UNetT2(4).state_dict(), tmp_path / BEST)
    with pytest.raises(BundleError, match="model.pt is of another network, which has channels, poolings but no stage"):
        read_weights(None, str(tmp_path), ".").setting("stage")


def test_settings_of_weights_of_no_network_of_this_bundle_are_refused(tmp_path):
    torch.save(nn.Linear(2, 3).state_dict(), tmp_path / BEST)
    with pytest.raises(BundleError, match="model.pt does not hold the weights of a network of this bundle"):
        read_weights(None, str(tmp_path), ".").setting("channels")


def test_a_checkpoint_is_read_once_whatever_is_asked_of_it(weights, monkeypatch):
    network, path = weights
    loads, load = [], torch.load
    monkeypatch.setattr(torch, "load", lambda *args, **kwargs: loads.append(args) or load(*args, **kwargs))
    found = read_weights(path, ".", ".")
    load_weights(MANet(found.setting("channels"), found.setting("depth"), found.setting("stage")), found)
    assert len(loads) == 1


def test_weights_name_their_file_their_network_and_their_checksum(weights, caplog):
    path = weights[1]
    checksum = hashlib.sha256(Path(path).read_bytes()).hexdigest()
    found = read_weights(path, ".")
    settings = {"channels": 4, "depth": 1, "stage": "both", "guidance": "CS"}
    assert found.record() == {"file": path, "network": "MANet", "network_settings": settings, "sha256": checksum}
    with caplog.at_level("INFO"):
        load_weights(MANet(4, depth=1), found)
    assert f"Weights: {path} (MANet, SHA-256 {checksum[:12]})." in caplog.text


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
@pytest.mark.parametrize("name", [BEST, "last.pt"])
def test_weights_that_are_not_finite_are_refused(tmp_path, value, name):
    state = MANet(4, depth=1).state_dict()
    state["image_stage.t1_stream.stem.weight"][0] = value
    torch.save(state if name == BEST else {"network": state}, tmp_path / name)
    for read in (Weights.read, lambda path: load_weights(MANet(4, depth=1), str(path))):
        with pytest.raises(BundleError, match=f"{name} holds NaN or infinity, in image_stage.t1_stream.stem.weight"):
            read(tmp_path / name)


def test_a_training_starts_from_the_weights_that_are_given_and_else_from_its_own(tmp_path):
    given, own = MANet(4, depth=1), MANet(4, depth=1)
    torch.save(given.state_dict(), tmp_path / "model.pt")
    before = copy.deepcopy(own)
    assert same_weights(before, start_from(own, "null"))
    start_from(own, str(tmp_path / "model.pt"))
    assert same_weights(given, own)


def test_a_network_without_weights_needs_no_checkpoint_and_another_one_does(weights):
    load_weights(ZeroFilled(), None)
    with pytest.raises(BundleError, match="give one with --checkpoint"):
        load_weights(weights[0], None)


@pytest.mark.parametrize("read", [str, lambda path: read_weights(path, ".", ".")], ids=["path", "weights"])
@pytest.mark.parametrize("key", [None, "network", "state_dict"])
def test_weights_are_loaded_from_model_last_and_lightning_files(weights, tmp_path, key, read):
    network, _ = weights
    state = network.state_dict()
    torch.save(state if key is None else {key: state, "epoch": 3}, tmp_path / "other.pt")
    torch.manual_seed(1)
    other = MANet(4, depth=1)
    assert not same_weights(other, network)
    assert load_weights(other, read(str(tmp_path / "other.pt"))) is other and same_weights(other, network)


def test_published_weights_are_converted(shared_reference, tmp_path):
    shapes = json.loads((shared_reference / "manet_state_dict_shapes.json").read_text())
    published = {key: torch.full(shape, number / 1000) for number, (key, shape) in enumerate(shapes.items())}
    torch.save({"state_dict": published}, tmp_path / "published.ckpt")
    weights = read_weights(str(tmp_path / "published.ckpt"), ".", ".")
    assert [weights.setting(name) for name in ("channels", "stage", "guidance")] == [64, "both", "CS"]
    network = load_weights(MANet(), weights)
    stem = published["UNet_img.conv1T1.weight"]
    assert torch.equal(network.image_stage.t1_stream.stem.weight, stem)


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
        read_weights(str(tmp_path / "x.pt"), ".", ".").setting("channels")


def test_a_pickled_network_is_told_from_weights(tmp_path):
    torch.save(MANet(4, depth=1), tmp_path / "x.pt")
    with pytest.raises(BundleError, match=r"holds other objects than weights, save a state_dict\(\)"):
        load_weights(MANet(4, depth=1), str(tmp_path / "x.pt"))


def test_weights_of_a_network_in_data_parallel_are_taken(tmp_path):
    network = MANet(4, depth=1)
    torch.save(torch.nn.DataParallel(network).state_dict(), tmp_path / "x.pt")
    assert same_weights(network, load_weights(MANet(4, depth=1), str(tmp_path / "x.pt")))


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
        read_weights(str(tmp_path / "x.pt"), ".", ".").setting("channels")
