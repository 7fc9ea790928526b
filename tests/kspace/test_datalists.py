"""Pairs of raw files by fastMRI's published list and by M4Raw's names, prepared as the overlays say."""

from __future__ import annotations

import numpy as np
import pytest
from monai.bundle import ConfigParser

from bundle.errors import BundleError
from bundle.kspace import fastmri_datalist, m4raw_datalist
from tests.bundle_runs import ROOT
from tests.kspace.raw_files import kspace_of, middle, slices_of_a_head, write_fastmri, write_m4raw


@pytest.fixture
def knees(tmp_path):
    """Two pairs for training, one for validation, of which one lacks its PDFS; and the lists."""
    (tmp_path / "lists").mkdir()
    for part, pairs in (("train", [("a", "b"), ("c", "d")]), ("val", [("e", "f"), ("g", "h")])):
        folder = tmp_path / f"singlecoil_{part}"
        folder.mkdir()
        text = "".join(f"{one},{two},0.3\n" for one, two in pairs)
        (tmp_path / "lists" / f"singlecoil_{part}_split_less.csv").write_text(text)
        for name in sum(pairs, ()):
            if name != "h":
                image = slices_of_a_head(3, 64, 40 + 2 * (name in "abef"), seed=ord(name) // 2)
                write_fastmri(folder / f"{name}.h5", kspace_of(image), 32)
    return tmp_path


def test_fastmris_pairs_are_those_of_the_list_whose_files_are_there(knees, caplog):
    lists = fastmri_datalist(str(knees), str(knees / "lists"))
    assert [item["subject"] for name in ("training", "validation", "test") for item in lists[name]] == ["d", "b", "f"]
    assert lists["test"][0] == {
        "subject": "f",
        "t1": str(knees / "singlecoil_val" / "e.h5"),
        "t2": str(knees / "singlecoil_val" / "f.h5"),
    }
    assert "singlecoil_val: left out for want of a file, 1 pair: h" in caplog.text


def test_the_lists_may_lie_beside_the_files(knees):
    elsewhere = fastmri_datalist(str(knees), str(knees / "lists"))
    for path in (knees / "lists").iterdir():
        path.rename(knees / path.name)
    assert fastmri_datalist(str(knees), None) == elsewhere


def test_the_published_list_is_read(shared_data, tmp_path):
    for folder in ("singlecoil_train", "singlecoil_val"):
        (tmp_path / folder).mkdir()
    for name in ("file1000685", "file1000568", "file1000472", "file1000142"):
        (tmp_path / "singlecoil_train" / f"{name}.h5").touch()
    with pytest.raises(
        BundleError, match="None of the 45 pairs of .*singlecoil_val_split_less.csv is in .*file1000323.h5"
    ):
        fastmri_datalist(str(tmp_path), str(shared_data / "fastmri-pairs"))


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda folder: (folder / "lists" / "singlecoil_val_2.csv").touch(), r"holds 2 files singlecoil_val\*.csv"),
        (
            lambda folder: (folder / "lists" / "singlecoil_val_split_less.csv").write_text("e\n"),
            "lines without two files",
        ),
    ],
)
def test_lists_that_cannot_be_read_are_one_sentence(knees, change, said):
    change(knees)
    with pytest.raises(BundleError, match=said):
        fastmri_datalist(str(knees), str(knees / "lists"))


def test_what_is_missing_is_named():
    with pytest.raises(BundleError, match="give the folder of its CSV files with --pairs DIR"):
        fastmri_datalist(str(ROOT), None)
    with pytest.raises(BundleError, match="dataset_dir is a folder, and .*nowhere is none"):
        m4raw_datalist("nowhere")
    with pytest.raises(BundleError, match="holds no T1 and T2 of one subject of M4Raw"):
        m4raw_datalist(str(ROOT / "configs"))


def prepared(overlay: str, tmp_path, split: str, **settings):
    parser = ConfigParser()
    parser.read_config([str(ROOT / "configs" / name) for name in ("train.yaml", overlay)])
    parser.update({"dataset_dir": str(tmp_path), "cache_dir": str(tmp_path / "cache"), **settings})
    parser["preprocessing::transforms::1::levels"] = 0
    parser["preprocessing::transforms::1::least_likeness"] = 0
    parser["train::volumes::items::split"] = split
    return parser.get_parsed_content("train::volumes")


def test_the_overlay_of_fastmri_prepares_the_images_of_its_files(knees):
    (volume,) = prepared("fastmri.yaml", knees, "test", pairs=str(knees / "lists"), image_size=32)
    t1, t2 = volume.slices()
    for stack, name in ((t1, "e"), (t2, "f")):
        expected = middle(slices_of_a_head(3, 64, 42, seed=ord(name) // 2), 32, 32)
        np.testing.assert_allclose(stack.numpy(), expected, atol=0.02)


def test_the_overlay_of_m4raw_prepares_the_mean_of_the_repetitions(tmp_path):
    image = slices_of_a_head(3, 32, 32)
    for subject in ("s1", "s2", "s3"):
        for number in (1, 2):
            write_m4raw(tmp_path / f"{subject}_T10{number}.h5", kspace_of(image**0.5, 2))
            write_m4raw(tmp_path / f"{subject}_T20{number}.h5", kspace_of(image * number, 2))
    write_m4raw(tmp_path / "s4_T201.h5", kspace_of(image, 2))
    lists = m4raw_datalist(str(tmp_path))
    assert sorted(item["subject"] for items in lists.values() for item in items) == ["s1", "s2", "s3"]
    volume = prepared("m4raw.yaml", tmp_path, "test", image_size=32)[0]
    np.testing.assert_allclose(volume.slices()[1].numpy(), 1.5 * image, atol=1e-3 * image.max())
