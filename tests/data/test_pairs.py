"""Pairs are found in every layout by names alone, what is left out is named, and mistakes end in one sentence."""

from __future__ import annotations

import csv
import json
import os
from pathlib import Path

import nibabel as nib
import numpy as np
import pandas as pd
import pytest

from bundle.data.datalist import read_datalist
from bundle.data.pairs import find_pairs, main, read_csv
from bundle.errors import BundleError


def volume(folder: Path, *names: str, shape: tuple[int, ...] = (2, 2, 2)) -> None:
    """Write a tiny NIfTI file under each name."""
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        nib.save(nib.Nifti1Image(np.ones(shape, np.int16), np.eye(4)), folder / name)


def names_of(folder: Path) -> list[tuple[str, str, str, str]]:
    """(subject, session, t1, t2) of what is found, paths relative to the folder."""
    return [
        (
            item["subject"],
            item.get("session", ""),
            *(Path(item[key]).relative_to(folder.resolve()).as_posix() for key in ("t1", "t2")),
        )
        for item in find_pairs(folder).items
    ]


@pytest.mark.parametrize(
    ("t1", "t2", "subject", "session"),
    [
        ("IXI002-Guys-0828-T1.nii.gz", "IXI002-Guys-0828-T2.nii.gz", "IXI002", ""),
        ("IXI-T1/IXI002-Guys-0828-T1.nii.gz", "IXI-T2/IXI002-Guys-0828-T2.nii.gz", "IXI002", ""),
        ("IXI002-Guys-0828/T1w.nii.gz", "IXI002-Guys-0828/T2w.nii.gz", "IXI002", ""),
        ("sub-01/anat/sub-01_T1w.nii.gz", "sub-01/anat/sub-01_T2w.nii", "sub-01", ""),
        (
            "sub-01/ses-b/anat/sub-01_ses-b_run-1_T1w.nii.gz",
            "sub-01/ses-b/anat/sub-01_ses-b_T2w.nii.gz",
            "sub-01",
            "ses-b",
        ),
        ("patient01/T1w.nii.gz", "patient01/T2w.nii.gz", "patient01", ""),
        ("ms/patient01/ses-2/T1w.nii.gz", "ms/patient01/ses-2/T2w.nii.gz", "patient01", "ses-2"),
        ("patient01/2019-03-01/T1.nii", "patient01/2019-03-01/T2.nii", "patient01", "2019-03-01"),
        ("anna_T1.nii.gz", "anna_T2.nii.gz", "anna", ""),
        ("anna_ses-1_t1.nii.gz", "anna_ses-1_t2.nii.gz", "anna", "ses-1"),
        ("T1/anna.nii.gz", "T2/anna.nii.gz", "anna", ""),
        ("p 1/größe $x-T1.nii.gz", "p 1/größe $x-T2.nii.gz", "größe $x", ""),
    ],
)
def test_a_pair_is_found_in_each_layout(tmp_path, t1, t2, subject, session):
    volume(tmp_path, t1, t2)
    assert names_of(tmp_path) == [(subject, session, t1, t2)]


def test_a_subject_folder_alone_is_a_dataset(tmp_path):
    volume(tmp_path, "patient01/ses-1/T1w.nii.gz", "patient01/ses-1/T2w.nii.gz")
    assert names_of(tmp_path / "patient01" / "ses-1") == [("patient01", "ses-1", "T1w.nii.gz", "T2w.nii.gz")]


def test_one_name_in_two_datasets_is_two_subjects(tmp_path):
    volume(tmp_path, *(f"{site}/p1/{name}.nii.gz" for site in ("a", "b") for name in ("T1w", "T2w")))
    assert [name[0] for name in names_of(tmp_path)] == ["a_p1", "b_p1"]


def test_of_several_bids_images_the_matching_ones_without_contrast_agent_and_of_the_first_run_are_taken(tmp_path):
    volume(
        tmp_path,
        *(
            f"sub-1/anat/sub-1_{name}.nii.gz"
            for name in ("ce-gad_T1w", "acq-hi_run-2_T1w", "acq-hi_run-1_T1w", "acq-lo_T1w", "acq-hi_T2w")
        ),
    )
    found = find_pairs(tmp_path)
    assert [Path(item["t1"]).name for item in found.items] == ["sub-1_acq-hi_run-1_T1w.nii.gz"]
    assert len(found.left_out) == 3 and all("not used" in reason for reason in found.left_out)


def test_derivatives_hidden_files_and_other_contrasts_are_not_paired(tmp_path):
    volume(
        tmp_path,
        "a_T1.nii",
        "a_T2.nii",
        "a_FLAIR.nii",
        "a_T1wPost.nii",
        "a_T2_FLAIR.nii",
        "a_T1_mask.nii",
        "derivatives/b_T1.nii",
        "derivatives/b_T2.nii",
        "._a_T1.nii",
    )
    assert [name[0] for name in names_of(tmp_path)] == ["a"]


def test_a_folder_linked_into_itself_ends(tmp_path):
    volume(tmp_path, "a_T1.nii", "a_T2.nii")
    os.symlink(tmp_path, tmp_path / "loop")
    assert len(find_pairs(tmp_path).items) == 1


def test_what_is_left_out_is_named_with_its_reason(tmp_path, capsys):
    volume(
        tmp_path,
        "good_T1.nii.gz",
        "good_T2.nii.gz",
        "lone_T1.nii.gz",
        "other_T2.nii.gz",
        "good_FLAIR.nii.gz",
        "twice_T1.nii",
        "twice_T1.nii.gz",
        "twice_T2.nii",
    )
    volume(tmp_path, "flat_T1.nii.gz", "flat_T2.nii.gz", shape=(2, 2, 1))
    volume(tmp_path, "many_T1.nii.gz", "many_T2.nii.gz", shape=(2, 2, 2, 3))
    (tmp_path / "text_T1.nii.gz").write_text("no image")
    assert main([str(tmp_path)]) == 0
    summary = capsys.readouterr().out
    for reason in (
        "lone: T1 without T2",
        "other: T2 without T1",
        "twice: several candidates",
        "flat_T1.nii.gz is no volume: its shape is (2, 2, 1)",
        "many_T2.nii.gz holds 3 volumes",
        "text_T1.nii.gz cannot be read as NIfTI",
        "1 other NIfTI files",
    ):
        assert reason in summary
    assert "1 pairs of 1 subjects" in summary


def test_a_4d_image_of_one_volume_is_a_volume(tmp_path):
    volume(tmp_path, "a_T1.nii", "a_T2.nii", shape=(2, 2, 2, 1))
    assert len(find_pairs(tmp_path).items) == 1


def table(folder: Path, *rows: str, name: str = "pairs.csv") -> Path:
    (folder / name).write_text("\n".join(rows), encoding="utf-8")
    return folder / name


@pytest.mark.parametrize("delimiter", [",", ";", "\t"])
def test_a_csv_gives_subjects_sessions_and_sides(tmp_path, delimiter):
    volume(tmp_path, "x/1.nii", "x/2.nii")
    rows = (
        "subject,t1,t2,session,split",
        "a,x/1.nii,x/2.nii,s1,test",
        "a,x/1.nii,x/2.nii,s2,test",
        "b,x/1.nii,x/2.nii,,training",
        "c,x/1.nii,x/2.nii,,",
    )
    path = table(tmp_path, *(row.replace(",", delimiter) for row in rows))
    assert main([str(path)]) == 0
    lists = read_datalist(tmp_path)
    assert [item["session"] for item in lists["test"]] == ["s1", "s2"]
    assert [item["subject"] for item in lists["training"]] == ["b"] and lists["validation"] == []


def test_csv_rows_that_cannot_be_used_are_left_out_by_line(tmp_path):
    volume(tmp_path, "1.nii", "2.nii")
    path = table(tmp_path, "subject,t1,t2", "a,1.nii,2.nii", "a,1.nii,2.nii", "b,1.nii,gone.nii", "c,,2.nii")
    found = read_csv(path)
    assert [item["subject"] for item in found.items] == ["a"]
    assert [reason.split(":")[0] for reason in found.left_out] == ["line 3", "line 4", "line 5"]


@pytest.mark.parametrize(
    ("rows", "words"),
    [
        (("subject,t1", "a,1.nii"), "lacks the columns t2"),
        (("subject,t1,t2,split", "a,1.nii,2.nii,train"), "not 'train'"),
        (("subject,t1,t2",), "no T1/T2 pair"),
        (("",), "lacks the columns"),
    ],
)
def test_a_csv_that_cannot_be_used_is_refused(tmp_path, rows, words):
    volume(tmp_path, "1.nii", "2.nii")
    with pytest.raises(BundleError, match=words):
        read_csv(table(tmp_path, *rows))


def test_paths_are_relative_to_the_output_with_forward_slashes(tmp_path):
    volume(tmp_path, "data/a/T1w.nii", "data/a/T2w.nii")
    assert main([str(tmp_path / "data"), "--output", str(tmp_path / "lists" / "datalist.json")]) == 0
    item = json.loads((tmp_path / "lists" / "datalist.json").read_text())["training"][0]
    assert item == {"subject": "a", "t1": "../data/a/T1w.nii", "t2": "../data/a/T2w.nii"}
    assert read_datalist(tmp_path / "lists")["training"][0]["t1"] == str(tmp_path.resolve() / "data/a/T1w.nii")


def test_ixi_is_split_as_in_the_paper_by_default(tmp_path):
    with (tmp_path / "ixi.csv").open("w", newline="") as file:
        rows = csv.writer(file)
        rows.writerow(("subject", "t1", "t2"))
        rows.writerows((f"IXI{number:03d}", "1.nii", "2.nii") for number in range(577))
    volume(tmp_path, "1.nii", "2.nii")
    assert main([str(tmp_path / "ixi.csv")]) == 0
    assert [len(items) for items in read_datalist(tmp_path).values()] == [369, 93, 115]


@pytest.mark.parametrize("sizes", [["--training", "2", "--validation", "1", "--test", "3"], ["--test", "0.5"]])
def test_sizes_are_numbers_or_fractions_of_subjects(tmp_path, sizes):
    volume(tmp_path, *(f"p{number}_T{contrast}.nii" for number in range(6) for contrast in (1, 2)))
    assert main([str(tmp_path), *sizes]) == 0
    assert [len(items) for items in read_datalist(tmp_path).values()] == [2, 1, 3]


def test_named_subjects_are_obeyed_and_the_others_fill_the_lists_without_names(tmp_path):
    volume(tmp_path, *(f"p{number}_T{contrast}.nii" for number in range(4) for contrast in (1, 2)))
    assert main([str(tmp_path), "--training-subjects", "p1,p3", "--validation-subjects", "p0"]) == 0
    lists = {split: [item["subject"] for item in items] for split, items in read_datalist(tmp_path).items()}
    assert lists == {"training": ["p1", "p3"], "validation": ["p0"], "test": ["p2"]}


def test_mistakes_end_in_one_sentence_and_status_1(tmp_path, capsys):
    volume(tmp_path, "a/a_T1.nii", "a/a_T2.nii", "b/x.nii")
    (tmp_path / "empty").mkdir()
    assert main([str(tmp_path / "a")]) == 0
    for arguments, words in (
        ([str(tmp_path / "a")], "--overwrite"),
        ([str(tmp_path / "gone")], "not a folder"),
        ([str(tmp_path / "b")], "no T1/T2 pair"),
        ([str(tmp_path / "empty")], "no .nii"),
        ([], "one source"),
        ([str(tmp_path / "a"), "--training", "9", "--overwrite"], "asks for training 9"),
        ([str(tmp_path / "a"), "--test-subjects", "z", "--overwrite"], "'z' is not among"),
        ([str(tmp_path / "a"), "--output", str(tmp_path / "a/a_T1.nii/d.json")], "Cannot write"),
        (["--csv", str(tmp_path / "gone.csv")], "cannot be read"),
    ):
        capsys.readouterr()
        assert main(arguments) == 1
        message = capsys.readouterr().err
        assert words in message and message.count("\n") == 1 and "Traceback" not in message


def test_an_existing_datalist_is_kept_without_and_replaced_with_overwrite(tmp_path):
    volume(tmp_path, "a_T1.nii", "a_T2.nii")
    (tmp_path / "datalist.json").write_text("precious")
    assert main([str(tmp_path)]) == 1 and (tmp_path / "datalist.json").read_text() == "precious"
    assert main([str(tmp_path), "--overwrite"]) == 0 and len(read_datalist(tmp_path)["training"]) == 1


def test_the_shared_data_give_the_manifests_pairs_with_sessions_together(shared_data, tmp_path):
    table = pd.read_csv(shared_data / "manifest.csv", keep_default_na=False)
    volumes = table[table.contrast.isin(["T1w", "T2w"]) & (table["shape"].str.count("x") == 2)]
    scans = volumes.groupby(["dataset", "subject", "session"]).contrast.nunique()
    assert main([str(shared_data), "--output", str(tmp_path / "datalist.json")]) == 0
    lists = read_datalist(tmp_path)
    assert sum(len(items) for items in lists.values()) == (scans == 2).sum() >= 10
    assert len({split for split, items in lists.items() for item in items if item["subject"] == "patient12"}) == 1
