"""A folder of studies is trained on as far as it has pairs, and the demo's is as the server wants it."""

from __future__ import annotations

import pytest

from bundle.data import t1_beside
from bundle.errors import BundleError
from bundle.label import studies
from bundle.label.studies import make_demo_studies, training_lists
from tests.data.tiny_images import volume
from tests.nifti_pairs import write_dataset


def images(folder, *names: str) -> list[str]:
    for name in names:
        volume(folder, f"{name}_T2.nii.gz", f"T1/{name}_T1.nii.gz")
    return [str(path) for path in folder.glob("*_T2.nii.gz")]


def test_pairs_are_divided_and_what_is_none_is_left_out_with_a_line(tmp_path, caplog):
    paths = images(tmp_path, "a", "b", "c", "d", "e")
    (tmp_path / "T1" / "b_T1.nii.gz").unlink()
    (tmp_path / "c_T2.nii.gz").write_text("no image")
    lists = training_lists(paths, val_split=0.3)
    assert sorted(lists) == ["training", "validation"] and [len(lists[name]) for name in lists] == [2, 1]
    assert {item["subject"] for items in lists.values() for item in items} == {"a_T2", "d_T2", "e_T2"}
    assert "b_T2.nii.gz has no T1" in caplog.text and "c_T2.nii.gz cannot be read as NIfTI" in caplog.text


@pytest.mark.parametrize(
    ("names", "val_split", "said"),
    [
        ("a", 0.2, "A training needs two studies with a T1 at least, one of them to validate on, and 1 has one."),
        ("", 0.2, "and 0 have one."),
        ("ab", 1, "val_split is the part of the studies that validates, from 0 to below 1, not 1."),
        ("ab", "x", "not 'x'."),
    ],
)
def test_too_few_pairs_are_refused(tmp_path, names, val_split, said):
    with pytest.raises(BundleError, match=said):
        training_lists(images(tmp_path, *names), val_split)


def test_the_demos_studies_are_t2_files_with_their_t1_in_a_folder(tmp_path, monkeypatch):
    monkeypatch.setattr(studies, "data_root", lambda: tmp_path)
    monkeypatch.setattr(
        studies, "make_default_dataset", lambda folder, root, files: write_dataset(tmp_path / "demo_data")
    )
    folder = make_demo_studies(tmp_path / "new" / "studies")
    t2 = sorted(path for path in folder.iterdir() if path.is_file())
    assert [path.name for path in t2] == [f"{name}_T2.nii.gz" for name in ("a_ses-1", "a_ses-2", "b", "c", "d")]
    assert [t1_beside(path).name for path in t2] == [path.name.replace("T2", "T1") for path in t2]
    (folder / "b_T2.nii.gz").unlink()
    make_demo_studies(folder)
    assert not (folder / "b_T2.nii.gz").exists()  # a folder that is there is left as it is
