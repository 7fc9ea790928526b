"""A user's mistake is told in one sentence, and leaves nothing behind."""

from __future__ import annotations

import gzip
import re
from pathlib import Path
from subprocess import CompletedProcess

import nibabel as nib
import numpy as np
import pytest
import torch

from bundle.networks import MANet
from tests.bundle_runs import TINY, command, run, run_command, sentence_of
from tests.early import Early, new_folder
from tests.nifti_pairs import T2_AFFINE, T2_SHAPE, head, write_dataset, write_pair


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory) -> str:
    path = tmp_path_factory.mktemp("weights") / "model.pt"
    torch.save(MANet(channels=4, depth=1).state_dict(), path)
    return str(path)


def save(path: Path, voxels: np.ndarray, affine: np.ndarray = T2_AFFINE) -> None:
    nib.save(nib.Nifti1Image(voxels, affine), path)


def remove(path: Path) -> None:
    path.unlink()


def truncate(path: Path) -> None:
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


def replace_by_text(path: Path) -> None:
    path.write_text("this is not an image")


def replace_by_zipped_text(path: Path) -> None:
    path.write_bytes(gzip.compress(b"this is not an image"))


def put_nan(path: Path) -> None:
    voxels = head(T2_AFFINE, T2_SHAPE, "t2")
    voxels[3, 4, 2] = np.nan
    save(path, voxels)


def put_zeros(path: Path) -> None:
    save(path, np.zeros(T2_SHAPE, np.float32))


def put_time_series(path: Path) -> None:
    save(path, np.stack([head(T2_AFFINE, T2_SHAPE, "t2")] * 3, axis=-1))


def put_noise(path: Path) -> None:
    save(path, np.random.default_rng(0).random(T2_SHAPE, np.float32))


@pytest.mark.parametrize(
    ("spoil", "said"),
    [
        (remove, "does not exist|not found|no such file"),
        (truncate, "truncated|cut short|cannot be read|damaged|ends early|incomplete"),
        (replace_by_text, "not .*NIfTI|not a|cannot be read"),
        (replace_by_zipped_text, "not .*NIfTI|not a|cannot be read"),
        (put_nan, "NaN|finite"),
        (put_zeros, "zero|constant|every voxel|same value"),
        (put_time_series, "3 volumes|volumes|4D"),
        (put_noise, "same anatomy"),
    ],
)
def test_a_bad_image_is_named_and_nothing_is_written(tmp_path, checkpoint, spoil, said):
    t1, t2 = write_pair(tmp_path, "x")
    spoil(Path(t2))
    with pytest.raises(Exception) as raised:
        run("inference", t1=t1, t2=t2, output_dir=str(tmp_path / "out"), checkpoint=checkpoint, image_size=32)
    sentence = sentence_of(raised.value)
    assert "x-T2.nii.gz" in sentence
    assert re.search(said, sentence), sentence
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("overrides", "said"),
    [
        ({"pattern": "zigzag"}, "random.*zigzag"),
        ({"acceleration": 0.5}, "0.5"),
        ({"acceleration": "fast"}, "fast"),
        ({"acceleration": 20, "center_fraction": 0.3}, "cent"),
        ({"center_fraction": 1.5}, "1.5"),
        ({"noise_level": -1}, "noise_level.*-1"),
        ({"image_size": 250}, "multiple of 16.*250"),
        ({"checkpoint": "/nowhere/model.pt"}, "/nowhere/model.pt does not exist"),
        ({"t2": None}, "--t2 FILE is missing"),
    ],
)
def test_a_bad_setting_is_told_in_one_sentence(tmp_path, checkpoint, overrides, said):
    t1, t2 = write_pair(tmp_path, "x")
    settings = {"t1": t1, "t2": t2, "checkpoint": checkpoint, "image_size": 32} | overrides
    with pytest.raises(Exception) as raised:
        run("inference", **settings, output_dir=str(tmp_path / "out"))
    sentence = sentence_of(raised.value)
    assert re.search(said, sentence), sentence
    assert "\n" not in sentence


@pytest.mark.parametrize("content", ["", "{}", "no checkpoint"])
def test_a_file_that_is_no_checkpoint_is_refused(tmp_path, content):
    t1, t2 = write_pair(tmp_path, "x")
    (tmp_path / "model.pt").write_text(content)
    with pytest.raises(Exception) as raised:
        run("inference", t1=t1, t2=t2, output_dir=str(tmp_path / "out"), checkpoint=str(tmp_path / "model.pt"))
    assert "model.pt is not a checkpoint" in sentence_of(raised.value)


def test_an_output_that_exists_is_kept_unless_overwriting_is_asked_for(tmp_path, checkpoint):
    t1, t2 = write_pair(tmp_path, "x")
    settings = {"t1": t1, "t2": t2, "checkpoint": checkpoint, "image_size": 32, "output_dir": str(tmp_path / "out")}
    run("inference", **settings)
    before = (tmp_path / "out" / "x-T2_recon.nii.gz").read_bytes()
    with pytest.raises(Exception) as raised:
        run("inference", **settings, acceleration=3, overwrite="false")  # as the command line hands it over
    assert "x-T2_recon.nii.gz" in sentence_of(raised.value) and "--overwrite true" in sentence_of(raised.value)
    assert (tmp_path / "out" / "x-T2_recon.nii.gz").read_bytes() == before
    run("inference", **settings, acceleration=3, overwrite=True)
    assert (tmp_path / "out" / "x-T2_recon.nii.gz").read_bytes() != before


def test_a_figure_of_an_earlier_evaluation_is_kept_unless_overwriting_is_asked_for(tmp_path, checkpoint):
    (tmp_path / "figures").mkdir()
    (tmp_path / "figures" / "d.png").write_text("mine")
    settings = {"dataset_dir": str(write_dataset(tmp_path / "data")), "output_dir": str(tmp_path), "image_size": 32}
    with pytest.raises(Exception) as raised:
        run("evaluating", checkpoint=checkpoint, **settings)
    assert "already holds figures/d.png" in sentence_of(raised.value)
    assert (tmp_path / "figures" / "d.png").read_text() == "mine" and not (tmp_path / "metrics.csv").exists()


def test_an_output_folder_that_cannot_be_written_is_refused(tmp_path, checkpoint):
    t1, t2 = write_pair(tmp_path, "x")
    (tmp_path / "file").touch()
    with pytest.raises(Exception) as raised:
        run("inference", t1=t1, t2=t2, checkpoint=checkpoint, output_dir=str(tmp_path / "file" / "out"))
    assert "cannot be written" in sentence_of(raised.value)


def test_a_folder_without_a_datalist_is_told_how_to_make_one(tmp_path):
    with pytest.raises(Exception) as raised:
        run("training", **TINY, dataset_dir=str(tmp_path), output_dir=str(tmp_path / "out"))
    assert "python -m bundle pairs" in sentence_of(raised.value)


def test_training_does_not_replace_an_earlier_one(tmp_path):
    (tmp_path / "model.pt").touch()
    with pytest.raises(Exception) as raised:
        run("training", **TINY, dataset_dir=str(write_dataset(tmp_path / "data")), output_dir=str(tmp_path))
    assert "already holds model.pt" in sentence_of(raised.value)


@Early
def refused() -> CompletedProcess:
    """An inference of a file that does not exist."""
    folder = new_folder()
    return run_command(command("inference", "--t1", str(folder / "a.nii.gz"), "--output_dir", str(folder / "out")))


@pytest.mark.slow
@pytest.mark.needs(refused)
def test_the_command_line_shows_the_sentence_alone_and_fails():
    result = refused()
    assert result.returncode == 1
    assert "Traceback" not in result.stdout + result.stderr
    assert result.stderr.strip().splitlines()[-1].startswith("Error: ")
