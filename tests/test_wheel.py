"""The wheel is the whole bundle: alone, in an empty folder, without the demo's packages, it reconstructs."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import nibabel as nib
import pytest

from tests.bundle_runs import ROOT
from tests.early import Early, new_folder
from tests.nifti_pairs import T2_SHAPE, write_pair

FOLDERS, FILES = ("bundle", "configs", "models", "docs"), ("pyproject.toml", "setup.py", "README.md", "LICENSE")
WHEEL = "wheel . --no-deps --no-build-isolation --no-index --disable-pip-version-check --quiet --wheel-dir".split()


def build(folder: Path) -> Path:
    """The wheel; built from a copy, as pip leaves its own files beside the sources."""
    for name in FOLDERS:
        shutil.copytree(ROOT / name, folder / "sources" / name, ignore=shutil.ignore_patterns("__pycache__"))
    for name in FILES:
        shutil.copy(ROOT / name, folder / "sources")
    pip = [sys.executable, "-m", "pip", *WHEEL, str(folder)]
    built = subprocess.run(pip, cwd=folder / "sources", capture_output=True, text=True, check=False)
    assert built.returncode == 0, built.stderr[-3000:]
    return next(folder.glob("*.whl"))


@Early
def reconstructed() -> tuple[Path, subprocess.CompletedProcess]:
    """The wheel's ``packages``, and what its command has printed and written in ``work``, all of one folder."""
    folder = new_folder()
    with zipfile.ZipFile(build(folder)) as wheel:
        wheel.extractall(folder / "packages")
    (folder / "packages" / "nilearn.py").write_text("raise ImportError('of the demo alone')")
    (folder / "work").mkdir()
    pair = write_pair(folder / "pair", "x")
    command = [sys.executable, "-m", "bundle", "reconstruct", *pair, "-o", "OUT.nii.gz", "--image_size", "32"]
    environment = os.environ | {"PYTHONPATH": str(folder / "packages"), "OMP_NUM_THREADS": "1"}
    run = {"cwd": folder / "work", "env": environment, "capture_output": True, "text": True, "check": False}
    return folder, subprocess.run(command, **run)


@pytest.mark.slow
@pytest.mark.needs(reconstructed)
def test_the_command_of_the_wheel_reconstructs_with_its_own_weights():
    folder, result = reconstructed()
    assert (result.returncode, result.stderr) == (0, "")
    assert sorted(path.name for path in (folder / "work").iterdir()) == ["OUT.json", "OUT.nii.gz"]
    assert nib.load(folder / "work" / "OUT.nii.gz").shape == T2_SHAPE
    report = json.loads((folder / "work" / "OUT.json").read_text())
    assert report["weights"]["file"] == str(folder / "packages" / "bundle" / "shipped" / "models" / "model.pt")
    assert report["weights"]["sha256"] == json.loads((ROOT / "models" / "model.json").read_text())["sha256"]


@pytest.mark.slow
@pytest.mark.needs(reconstructed)
def test_the_wheel_holds_every_config_and_weight_as_the_repository_has_it():
    shipped = reconstructed()[0] / "packages" / "bundle" / "shipped"
    for name in ("configs", "models"):
        files = {path.relative_to(ROOT / name) for path in (ROOT / name).rglob("*") if path.is_file()}
        assert {path.relative_to(shipped / name) for path in (shipped / name).rglob("*") if path.is_file()} == files
        assert [
            str(file) for file in files if (shipped / name / file).read_bytes() != (ROOT / name / file).read_bytes()
        ] == []


@pytest.mark.slow
@pytest.mark.needs(reconstructed)
def test_the_wheel_has_metadatas_version_and_the_licences_of_code_and_data():
    packages = reconstructed()[0] / "packages"
    version = json.loads((ROOT / "configs" / "metadata.json").read_text())["version"]
    (info,) = packages.glob("*.dist-info")
    assert info.name == f"manet_bundle-{version}.dist-info"
    assert {path.name for path in info.rglob("licenses/**/*") if path.is_file()} == {"LICENSE", "data_license.txt"}
