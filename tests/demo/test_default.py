"""Demo data are made for a run that has no data of its own, and for no other."""

from __future__ import annotations

import pytest

from bundle.demo import default, make_default_dataset


@pytest.fixture
def made(monkeypatch) -> list[str]:
    """The folders that demo data were asked for in."""
    folders: list[str] = []
    monkeypatch.setattr(default, "make_demo_dataset", lambda folder: folders.append(str(folder)))
    return folders


@pytest.mark.parametrize(
    ("dataset_dir", "bundle_root"),
    [
        ("demo_data", "."),
        ("./demo_data", "."),
        ("x/../demo_data/", "./"),
        ("{here}/demo_data", "."),
        ("demo_data", "{here}"),
    ],
)
def test_the_default_folder_is_filled_however_it_is_written(tmp_path, monkeypatch, made, dataset_dir, bundle_root):
    monkeypatch.chdir(tmp_path)
    make_default_dataset(dataset_dir.format(here=tmp_path), bundle_root.format(here=tmp_path))
    assert made == [str(tmp_path / "demo_data")]


@pytest.mark.parametrize("dataset_dir", ["mine", "demo_data/sub", "other/demo_data"])
def test_a_folder_of_ones_own_is_left_alone(tmp_path, monkeypatch, made, dataset_dir):
    monkeypatch.chdir(tmp_path)
    make_default_dataset(dataset_dir, ".")
    assert made == [] and list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(("files", "needed"), [([None, None], True), (["null", None], True), (["t1.nii", None], False)])
def test_a_run_that_is_given_files_needs_no_demo_data(tmp_path, made, files, needed):
    make_default_dataset(tmp_path / "demo_data", tmp_path, files)
    assert bool(made) == needed


def test_a_run_that_is_given_files_does_not_look_at_its_dataset_dir(made):
    make_default_dataset(("not", "a path"), ".", ["t1.nii", "t2.nii"])
    assert made == []
