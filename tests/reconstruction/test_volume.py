"""``reconstruct`` returns what ``run inference`` writes, raises mistakes, and leaves the program as it was."""

from __future__ import annotations

import hashlib
import inspect
import json
import logging
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import warnings
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest
import torch
import yaml
from monai.data import MetaTensor
from monai.transforms import EnsureChannelFirst, SaveImage

import bundle
from bundle import BundleError, reconstruct
from bundle.compute import memory
from bundle.evaluation.calibration import Calibration
from bundle.reconstruction import SETTINGS
from tests.bundle_runs import ROOT, run

DEFAULTS = {"image_size": 32}  # mostly
OTHER = {
    "pattern": "uniform",
    "acceleration": 4,
    "center_fraction": 0.1,
    "noise_level": 0.05,
    "visible": ["t2"],
    "register_to": "t2",
    "image_size": [32, 48],
    "seed": 3,
}
SHOWN = {"t1_used": ["t1", "t2"], "t1_left_out": ["t2"]}


NUMPYS = {"acceleration": np.float32(4), "image_size": (np.int64(32), 48), "seed": np.array(3), "visible": ("t2",)}


@pytest.mark.parametrize(("settings", "also"), [(DEFAULTS, {}), (OTHER, NUMPYS)], ids=["defaults", "others, by numpy"])
def test_it_returns_and_writes_voxel_by_voxel_what_run_inference_writes(pair, checkpoint, tmp_path, settings, also):
    t1, t2 = pair
    run("inference", t1=t1, t2=t2, checkpoint=str(checkpoint), device="cpu", output_dir=str(tmp_path), **settings)
    written, output = tmp_path / "x-T2_recon.nii.gz", tmp_path / "new" / "mine.nii.gz"
    given = {"checkpoint": checkpoint, "device": torch.device("cpu"), "output": output}
    image = reconstruct(Path(t1), Path(t2), **given, **settings | also)
    assert isinstance(image, MetaTensor) and image.dtype == torch.float32 and image.device.type == "cpu"
    np.testing.assert_array_equal(image.numpy(), nib.load(written).get_fdata(dtype=np.float32))
    np.testing.assert_array_equal(image.affine.numpy(), nib.load(t2).affine)
    assert output.read_bytes() == written.read_bytes()
    report = json.loads((tmp_path / "x-T2_recon.json").read_text()) | {"reconstruction": "mine.nii.gz"}
    assert report == image.meta["report"] == json.loads((tmp_path / "new" / "mine.json").read_text())
    assert sorted(path.name for path in output.parent.iterdir()) == ["mine.json", "mine.nii.gz"]
    SaveImage(tmp_path, output_postfix="monai", separate_folder=False, print_log=False)(EnsureChannelFirst()(image))
    assert np.array_equal(nib.load(tmp_path / "x-T2_monai.nii.gz").get_fdata(), nib.load(written).get_fdata())


def test_the_uncertainty_lies_where_t2_lies_and_changes_nothing_of_the_reconstruction(
    pair, checkpoint, tmp_path, caplog
):
    weights = tmp_path / "weights" / "w.pt"
    weights.parent.mkdir()
    shutil.copy(checkpoint, weights)
    sha256 = hashlib.sha256(weights.read_bytes()).hexdigest()
    parts = {"noise": 1.0, "without_t1": 1.0, "unseen": 1.0}
    Calibration(sha256, parts, 1.5, 0.9, ["a"], False).write(weights.with_name("w_uncertainty.json"))
    settings = {"checkpoint": weights, "device": "cpu", "image_size": 32, "output": tmp_path / "OUT.nii"}
    image = reconstruct(*pair, **settings, save_uncertainty=True)
    assert sorted(path.name for path in tmp_path.glob("*.*")) == ["OUT.json", "OUT.nii", "OUT_uncertainty.nii"]
    recon, deviation = (nib.load(tmp_path / f"OUT{name}.nii") for name in ("", "_uncertainty"))
    assert deviation.header == recon.header and (deviation.get_fdata() >= 0).all()
    np.testing.assert_array_equal(image.meta["uncertainty"].numpy(), deviation.get_fdata(dtype=np.float32))
    assert 0 < deviation.get_fdata().mean() < 5 * nib.load(pair[1]).get_fdata().mean()  # in T2's units
    report = json.loads((tmp_path / "OUT.json").read_text())
    assert report["uncertainty"]["file"] == "OUT_uncertainty.nii" and report["uncertainty"]["sha256"] == sha256
    with pytest.raises(BundleError, match=r"There is .*OUT_uncertainty.nii already; name another output"):
        (tmp_path / "OUT.json").unlink(), (tmp_path / "OUT.nii").unlink()
        reconstruct(*pair, **settings, save_uncertainty=True)
    plain = reconstruct(*pair, **settings)
    np.testing.assert_array_equal(plain.numpy(), image.numpy())
    assert "uncertainty" not in plain.meta and "uncertainty" not in plain.meta["report"]
    assert "OUT_uncertainty.nii is of an earlier run" in caplog.text


def test_a_check_of_t1_is_told_in_the_report_and_leaves_out_a_t1_that_does_not_help(pair, checkpoint):
    settings = {"checkpoint": checkpoint, "device": "cpu", "image_size": 32}
    checked = reconstruct(*pair, **settings, check_guide=True)
    told = checked.meta["report"]["guide_check"]
    assert told["t1_used"] == (told["error_with_t1_over_without"] < 1)
    assert checked.meta["report"]["settings"]["check_guide"] is True
    shown = ["t1", "t2"] if told["t1_used"] else ["t2"]
    np.testing.assert_array_equal(checked.numpy(), reconstruct(*pair, **settings, visible=shown).numpy())


def test_mirroring_is_told_in_the_report_and_changes_the_image(pair, checkpoint):
    settings = {"checkpoint": checkpoint, "device": "cpu", "image_size": 32}
    plain, averaged = reconstruct(*pair, **settings), reconstruct(*pair, **settings, mirroring=True)
    told = [image.meta["report"]["settings"]["mirroring"] for image in (plain, averaged)]
    assert told == [False, True] and not torch.equal(plain, averaged)


def test_the_uncertainty_beside_such_a_check_is_that_of_what_was_shown(pair, checkpoint, tmp_path):
    weights = tmp_path / "w.pt"
    shutil.copy(checkpoint, weights)
    sha256 = hashlib.sha256(weights.read_bytes()).hexdigest()
    both = Calibration(sha256, {"noise": 1.0, "without_t1": 0.0}, 1.0, 0.9, ["a"], False)
    alone = Calibration(sha256, {"noise": 1.0}, 2.0, 0.9, ["a"], False)
    settings = {"checkpoint": weights, "device": "cpu", "image_size": 32, "save_uncertainty": True}
    both.write(tmp_path / "w_uncertainty.json")
    with pytest.raises(BundleError, match="no calibration for T2 alone, which would be .*w_uncertainty_t2.json"):
        reconstruct("no.nii", pair[1], **settings, check_guide=True)
    alone.write(tmp_path / "w_uncertainty_t2.json")
    found = {name: reconstruct(*pair, **settings, visible=shown) for name, shown in SHOWN.items()}
    factors = {name: one.meta["report"]["uncertainty"]["factor"] for name, one in found.items()}
    assert factors == {"t1_used": 1.0, "t1_left_out": 2.0}
    checked = reconstruct(*pair, **settings, check_guide=True)
    used = "t1_used" if checked.meta["report"]["guide_check"]["t1_used"] else "t1_left_out"
    assert checked.meta["report"]["uncertainty"] == found[used].meta["report"]["uncertainty"]
    np.testing.assert_array_equal(checked.meta["uncertainty"].numpy(), found[used].meta["uncertainty"].numpy())


def test_weights_without_calibration_are_refused_before_anything_is_read(pair, checkpoint, tmp_path):
    with pytest.raises(BundleError, match=r"^The weights .*run#7.pt have no calibration, which would be"):
        reconstruct("no.nii", pair[1], checkpoint=checkpoint, save_uncertainty=True, device="cpu")


def state_of_the_process() -> dict[str, object]:
    loggers = [logging.getLogger(), *map(logging.getLogger, ("bundle", "monai", "ignite.engine"))]
    return {
        "excepthook": sys.excepthook,
        "working folder": os.getcwd(),
        "sys.path": list(sys.path),
        "warnings": (list(warnings.filters), warnings.showwarning),
        "logging": [(one.level, list(one.handlers), one.propagate, one.disabled) for one in loggers],
        "signals": [signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGHUP, signal.SIGINT)],
        "threads": torch.get_num_threads(),
        "grad": torch.is_grad_enabled(),
        "determinism": torch.are_deterministic_algorithms_enabled(),
        "random": (random.getstate(), torch.get_rng_state().tolist(), [str(part) for part in np.random.get_state()]),
        "freed memory kept": memory._state["kept"],
        "temporary files": os.listdir(tempfile.gettempdir()),
    }


def test_the_process_stays_as_it_was(pair, checkpoint, tmp_path, monkeypatch):
    memory.release_freed_memory()
    (tmp_path / "tmp").mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "tmp"))
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "excepthook", lambda *error: None)
    torch.manual_seed(11)
    before = state_of_the_process()
    settings = {"checkpoint": checkpoint, "device": "cpu", "image_size": 32}
    reconstruct(*pair, **settings)
    assert state_of_the_process() == before
    with pytest.raises(BundleError):
        reconstruct(*pair, **settings, center_fraction=0.9)
    assert state_of_the_process() == before


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"aceleration": 4}, "reconstruct takes no aceleration; did you mean acceleration?"),
        ({"output_dir": "x"}, "reconstruct takes no output_dir; did you mean output?"),
        ({"zzz": 1}, "reconstruct takes no zzz; it takes t1, t2, output, "),
        ({"t2": None}, "t2 is a path, not None."),
        ({"checkpoint": 7}, "checkpoint is a path, not 7."),
        ({"acceleration": 0.5}, "acceleration is a number from 1 .* not 0.5."),
        ({"visible": ("t3",)}, "visible is a list of t1, t2 or both, not .'t3'.."),
        ({"pattern": "$print(1)"}, r"pattern is random, .* not '\$print\(1\)'."),
        ({"amp": "@device"}, "amp is true or false, not '@device'."),
        ({"checkpoint": "$no.pt"}, r"The checkpoint \$no.pt does not exist"),
        (
            {"checkpoint": "models/manet.pt"},
            "models/manet.pt does not exist; the one that is shipped .*/models/manet.pt",
        ),
        ({"center_fraction": 0.9}, "the centre of center_fraction 0.9 alone takes"),
        ({"t1": "no.nii"}, "no.nii does not exist"),
        ({"output": "."}, "The output . is a folder; name a file in it, as x-T2_recon.nii.gz"),
    ],
)
def test_a_mistake_is_one_sentence_of_a_bundle_error_alone(pair, checkpoint, tmp_path, monkeypatch, given, said):
    monkeypatch.chdir(tmp_path)
    arguments = {"t1": pair[0], "t2": pair[1], "checkpoint": checkpoint, "device": "cpu"} | given
    with pytest.raises(BundleError, match=f"^{said}|{said}") as raised:
        reconstruct(**arguments)
    assert "\n" not in str(raised.value) and raised.value.__cause__ is None
    assert list(tmp_path.iterdir()) == []


def test_its_keywords_have_the_defaults_of_the_config():
    config = yaml.safe_load((ROOT / "configs" / "inference.yaml").read_text())
    defaults = {name: one.default for name, one in inspect.signature(reconstruct).parameters.items()}
    expected = {name: config[name] for name in [*SETTINGS, "checkpoint", "overwrite"] if name != "device"}
    assert {name: list(value) if isinstance(value, tuple) else value for name, value in defaults.items()} == {
        "t1": inspect.Parameter.empty,
        "t2": inspect.Parameter.empty,
        "unknown": inspect.Parameter.empty,
        "output": None,
        "device": None,  # config: whatever torch finds
        **expected,
    }
    assert all(f"{name}:" in inspect.getdoc(reconstruct) for name in defaults if name != "unknown")


def test_importing_the_package_and_the_help_of_its_commands_load_neither_torch_nor_monai():
    program = (
        "import sys, bundle\nfrom bundle.__main__ import main\nmain([])\n"
        "assert 'reconstruct' in dir(bundle) and not hasattr(bundle, 'nothing')\n"
        "assert not {'torch', 'monai', 'numpy'} & sys.modules.keys()"
    )
    result = subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=False)
    assert (result.returncode, result.stderr) == (0, "")
    assert bundle.reconstruct is reconstruct
