"""Pairs are found in every layout by names alone, a person has one name, and what is left out is named."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import nibabel as nib
import numpy as np
import pandas as pd
import pytest

from bundle.data.datalist import read_datalist
from bundle.data.folder_pairs import find_pairs
from bundle.data.pairs import main

from .tiny_images import volume


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


def scans_of(folder: Path) -> list[str]:
    """Subject and session of what is found."""
    return [" ".join(name[:2]).strip() for name in names_of(folder)]


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
        (
            "sub-x/ses-preOP2/anat/sub-x_ses-preOP2_acq-hi_rec-norm_part-mag_T1w.nii.gz",
            "sub-x/ses-preOP2/anat/sub-x_ses-preOP2_acq-hi_rec-norm_part-mag_T2w.NII.GZ",
            "sub-x",
            "ses-preOP2",
        ),
        ("patient01/T1w.nii.gz", "patient01/T2w.nii.gz", "patient01", ""),
        ("ms/patient01/ses-2/T1w.nii.gz", "ms/patient01/ses-2/T2w.nii.gz", "patient01", "ses-2"),
        ("patient01/2019-03-01/T1.nii", "patient01/2019-03-01/T2.nii", "patient01", "2019-03-01"),
        ("sesame/T1.nii", "sesame/T2.nii", "sesame", ""),
        ("anna_T1.nii.gz", "anna_T2.nii.gz", "anna", ""),
        ("anna_ses-1_t1.nii.gz", "anna_ses-1_t2.nii.gz", "anna", "ses-1"),
        ("T1/anna.nii.gz", "T2/anna.nii.gz", "anna", ""),
        ("p 1/größe $x-T1.nii.gz", "p 1/größe $x-T2.nii.gz", "größe $x", ""),
        ("s1/anat_T1.nii.gz", "s1/anat_T2.nii.gz", "s1", ""),
        ("s1/raw/T1.nii.gz", "s1/raw/T2.nii.gz", "s1", ""),
        ("sub-_ses-1_T1w.nii", "sub-_ses-1_T2w.nii", "sub-", "ses-1"),
        ("nfd/gro\u0308\u00dfe_T1.nii", "nfd/gr\u00f6\u00dfe_T2.nii", "gr\u00f6\u00dfe", ""),
    ],
)
def test_a_pair_is_found_in_each_layout(tmp_path, t1, t2, subject, session):
    volume(tmp_path, t1, t2)
    assert names_of(tmp_path) == [(subject, session, t1, t2)]


@pytest.mark.parametrize(
    ("name", "visits"),
    [
        ("{}/{}/T1w.nii", ("pre", "post")),
        ("{}/{}/T1w.nii", ("month0", "week-012-1")),
        ("{}/{}/T1w.nii", ("2006-04-20_08_20_56.0", "2007-04-20_08_20_56.0")),
        ("{}_{}_T1.nii", ("bl", "FU1")),
        ("{}_{}/{}_{}_T1.nii", ("d0129", "d0757")),
        ("{}_{}_T1.nii", ("20200101", "20210101")),
        ("{}-{}/T1.nii", ("baseline", "followup2")),
        ("{}_{}/{}_{}_T1.nii", ("ses-1", "2021-03-04")),
    ],
)
def test_a_visit_is_no_person_whether_a_folder_names_it_or_the_end_of_a_name(tmp_path, name, visits):
    both = [name.format(*[person, visit] * 2) for person in ("P1", "P2") for visit in visits]
    volume(tmp_path, *both, *(one.replace("T1", "T2") for one in both))
    assert sorted(scans_of(tmp_path)) == sorted(f"{person} {visit}" for person in ("P1", "P2") for visit in visits)
    assert "visits of one person each" in find_pairs(tmp_path).remarks[0]


@pytest.mark.parametrize("root", ["baseline", "post"])
def test_a_root_named_like_a_visit_is_none(tmp_path, root):
    volume(tmp_path / root, "anna/T1.nii", "anna/T2.nii")
    assert scans_of(tmp_path / root) == ["anna"]
    volume(tmp_path / "alone" / root, "T1.nii", "T2.nii")
    assert scans_of(tmp_path / "alone" / root) == [root]


@pytest.mark.parametrize("name", ["{}/{}/T1.nii", "cohort/{}/{}/T1.nii", "{}_{}_T1.nii", "{} {}/T1.nii"])
def test_what_more_people_have_than_there_are_of_it_are_visits_and_told(tmp_path, name):
    both = [name.format(person, visit) for person in ("P1", "P2", "P3") for visit in ("a", "b")]
    both.append(name.format("P4", "a"))  # who came once
    volume(tmp_path, *both, *(one.replace("T1", "T2") for one in both))
    assert sorted(scans_of(tmp_path)) == ["P1 a", "P1 b", "P2 a", "P2 b", "P3 a", "P3 b", "P4 a"]
    (told,) = find_pairs(tmp_path).remarks
    assert "visits of one person each" in told and "(a, b): P1, P2, P3, P4;" in told


def test_people_of_several_sites_are_no_visits(tmp_path):
    both = [f"{site}_{number}_T1.nii" for site in ("a", "b") for number in ("01", "02", "03")]
    both += [f"travelled{site}/p{number}/T1w.nii" for site in "abc" for number in (1, 2)]
    both += [f"site{site}/sub-{number}/sub-{number}_T1w.nii" for site in "abc" for number in ("1", "2")]
    volume(tmp_path, *both, *(one.replace("T1", "T2") for one in both))
    assert {item["subject"] for item in find_pairs(tmp_path).items} == {
        *(f"{site}_0{number}" for site in "ab" for number in (1, 2, 3)),
        *("sub-1", "sub-2", "p1", "p2"),
    }


@pytest.mark.parametrize("names", [("10023456", "20251399"), ("sc01", "sc02"), ("pre01", "pre02"), ("v01", "v02")])
def test_what_only_resembles_a_date_or_a_word_of_visits_is_a_subject(tmp_path, names):
    volume(tmp_path, *(f"{name}/T{k}.nii" for name in names for k in (1, 2)))
    assert scans_of(tmp_path) == [*names]


def test_a_subject_folder_alone_is_a_dataset(tmp_path):
    volume(tmp_path, "patient01/ses-1/T1w.nii.gz", "patient01/ses-1/T2w.nii.gz")
    assert names_of(tmp_path / "patient01" / "ses-1") == [("patient01", "ses-1", "T1w.nii.gz", "T2w.nii.gz")]


@pytest.mark.parametrize("root", ["2024-01-05", "20240105", "T2", "study_T1"])
def test_a_root_named_like_a_date_or_a_contrast_lends_nothing_to_what_is_in_it(tmp_path, root):
    volume(tmp_path / root, "anna_T1.nii", "anna_T2.nii", "bob/T1.nii", "bob/T2.nii", "other.nii")
    assert scans_of(tmp_path / root) == ["anna", "bob"]
    volume(tmp_path / "alone" / root, "T1.nii", "T2.nii")
    assert scans_of(tmp_path / "alone" / root) == [root]


def test_one_name_in_two_datasets_is_one_person_with_two_sessions_and_told(tmp_path):
    volume(tmp_path, *(f"{site}/p1/{name}.nii.gz" for site in ("a", "b") for name in ("T1w", "T2w")))
    volume(tmp_path, "a/p2/ses-1/T1w.nii.gz", "a/p2/ses-1/T2w.nii.gz")
    assert scans_of(tmp_path) == ["p1 a", "p2 ses-1", "p1 b"]
    assert "one person each" in find_pairs(tmp_path).remarks[0] and "(a, b): p1;" in find_pairs(tmp_path).remarks[0]


@pytest.mark.parametrize("raw", ["", "raw/", "rawdata/"])
@pytest.mark.parametrize("copy", ["fmriprep/", "sourcedata/", "preprocessed/"])
def test_of_a_person_and_a_processed_copy_the_scan_itself_is_taken_and_the_copy_named(tmp_path, raw, copy):
    names = [f"sub-0{number}/anat/sub-0{number}" for number in (1, 2)]
    volume(tmp_path, *(f"{raw}{name}_{contrast}.nii.gz" for name in names for contrast in ("T1w", "T2w")))
    volume(tmp_path, *(f"{copy}{name}_desc-preproc_{contrast}.nii.gz" for name in names for contrast in ("T1w", "T2w")))
    found = find_pairs(tmp_path)
    assert scans_of(tmp_path) == ["sub-01", "sub-02"] and all("_desc-" not in item["t1"] for item in found.items)
    assert sum(f"{copy}sub-0" in reason and "not used" in reason for reason in found.left_out) == 4


def test_label_maps_are_no_images_and_a_skull_stripped_copy_is_no_other_person(tmp_path):
    for name in ("s1", "s2", "s3"):
        volume(tmp_path, *(f"T{k}/{name}{end}.nii.gz" for k in (1, 2) for end in ("", "_seg", "_brain", "_brain_mask")))
    found = find_pairs(tmp_path)
    assert names_of(tmp_path) == [(name, "", f"T1/{name}.nii.gz", f"T2/{name}.nii.gz") for name in ("s1", "s2", "s3")]
    assert any("label maps by name (mask 6, seg 6)" in reason for reason in found.left_out)
    assert sum("_brain.nii.gz not used" in reason for reason in found.left_out) == 6


def test_skull_stripped_images_without_others_are_pairs(tmp_path):
    volume(tmp_path, "s1_brain_T1.nii", "s1_brain_T2.nii", "s2_T1_brain.nii", "s2_T2_brain.nii")
    assert scans_of(tmp_path) == ["s1", "s2"]


@pytest.mark.parametrize("word", ["seg", "dseg", "label", "Lesion", "mask", "aparc"])
def test_a_label_map_is_told_by_its_name(tmp_path, word):
    volume(tmp_path, "a_T1.nii", "a_T2.nii", f"a_{word}_T1.nii", f"b_{word}_T1.nii", f"b_{word}_T2.nii")
    assert scans_of(tmp_path) == ["a"]


def test_a_label_map_is_told_by_its_header(tmp_path):
    volume(tmp_path, "a_T1.nii", "a_T2.nii", "b_T1.nii", "b_T2.nii")
    image = nib.load(tmp_path / "b_T2.nii")
    image = nib.Nifti1Image(np.asarray(image.dataobj), None, image.header)
    image.header["intent_code"] = 1002
    nib.save(image, tmp_path / "b_T2.nii")
    assert scans_of(tmp_path) == ["a"] and any("label map" in reason for reason in find_pairs(tmp_path).left_out)


def test_of_several_bids_images_the_matching_ones_of_the_first_run_are_taken_and_none_after_a_contrast_agent(tmp_path):
    volume(
        tmp_path,
        *(
            f"sub-1/anat/sub-1_{name}.nii.gz"
            for name in ("ce-gad_T1w", "acq-hi_run-2_T1w", "acq-hi_run-1_T1w", "acq-lo_T1w", "acq-hi_T2w")
        ),
    )
    found = find_pairs(tmp_path)
    assert [Path(item["t1"]).name for item in found.items] == ["sub-1_acq-hi_run-1_T1w.nii.gz"]
    assert sum("not used" in reason for reason in found.left_out) == 2
    assert sum("sub-1_ce-gad_T1w.nii.gz: FLAIR or after a contrast agent" in reason for reason in found.left_out) == 1


def test_bids_phase_images_are_none_of_ours_and_magnitude_is_preferred(tmp_path):
    volume(tmp_path, *(f"sub-1_part-{part}_T2w.nii" for part in ("mag", "phase", "real", "imag")), "sub-1_T1w.nii")
    volume(tmp_path, "sub-2_T1w.nii", "sub-2_part-phase_T2w.nii")
    assert names_of(tmp_path) == [("sub-1", "", "sub-1_T1w.nii", "sub-1_part-mag_T2w.nii")]
    left_out = " ".join(find_pairs(tmp_path).left_out)
    assert "4 other NIfTI files" in left_out and "phase, real or imaginary" in left_out and "T1 without T2" in left_out


def test_two_echoes_are_not_chosen_between_and_two_spaces_not_paired(tmp_path):
    volume(tmp_path, "sub-1_T1w.nii", "sub-1_echo-1_T2w.nii", "sub-1_echo-2_T2w.nii")
    volume(tmp_path, "sub-2_space-MNI_T1w.nii", "sub-2_T2w.nii", "sub-3_T1w.nii", "sub-3_T2w.nii")
    assert scans_of(tmp_path) == ["sub-3"]
    left_out = " ".join(find_pairs(tmp_path).left_out)
    assert "sub-1: several candidates" in left_out and "sub-2: T1 and T2 are in different spaces" in left_out


def test_derivatives_hidden_files_and_other_contrasts_are_not_paired(tmp_path):
    volume(
        tmp_path,
        "a_T1.nii",
        "a_T2.nii",
        "a_FLAIR.nii",
        "a_T1wPost.nii",
        "a_T2_FLAIR.nii",
        "a_post_T1.nii",
        "a_T1_mask.nii",
        "derivatives/b_T1.nii",
        "derivatives/b_T2.nii",
        "._a_T1.nii",
    )
    assert scans_of(tmp_path) == ["a"]
    assert any(reason.startswith("derivatives: processed copies") for reason in find_pairs(tmp_path).left_out)


def test_equal_images_are_found_by_content_whatever_their_names_and_packing(tmp_path):
    volume(tmp_path, "a_T1.nii", "a_T2.nii.gz", "b_T1.nii.gz", "c_T1.nii", "d_T2.nii", shape=(16, 16, 16))
    nib.save(nib.load(tmp_path / "a_T2.nii.gz"), tmp_path / "b_T2.nii")
    shutil.copy(tmp_path / "a_T1.nii", tmp_path / "c_T2.nii")
    shutil.copy(tmp_path / "d_T2.nii", tmp_path / "d_T1.nii")
    found = find_pairs(tmp_path)
    assert [item["subject"] for item in found.items] == ["a"]
    assert "b: its T2 is the same image as the T2 of a" in found.left_out[0]
    assert "c: its T2 is the same image as the T1 of a" in found.left_out[1]
    assert "d: T1 and T2 are the same image" in found.left_out[2]


def test_names_that_are_one_as_names_of_files_are_left_out_and_told(tmp_path):
    volume(tmp_path, *(f"{name}_T{k}.nii" for name in ("a b", "a_b", "c", "Dora", "dora") for k in (1, 2)))
    found = find_pairs(tmp_path)
    assert [item["subject"] for item in found.items] == ["c"]
    assert any("'a b' and 'a_b': as names of files they are all 'a_b'" in reason for reason in found.left_out)
    assert any("'Dora' and 'dora'" in reason for reason in found.left_out)


def test_a_folder_linked_into_itself_ends(tmp_path):
    volume(tmp_path, "a_T1.nii", "a_T2.nii")
    os.symlink(tmp_path, tmp_path / "loop")
    assert len(find_pairs(tmp_path).items) == 1


def test_a_4d_image_of_one_volume_is_a_volume(tmp_path):
    volume(tmp_path, "a_T1.nii", "a_T2.nii", shape=(2, 2, 2, 1))
    assert len(find_pairs(tmp_path).items) == 1


def test_the_shared_data_give_the_manifests_pairs_with_a_persons_scans_together(shared_data, tmp_path):
    table = pd.read_csv(shared_data / "manifest.csv", keep_default_na=False)
    volumes = table[table.contrast.isin(["T1w", "T2w"]) & (table["shape"].str.count("x") == 2)]
    scans = volumes.groupby(["dataset", "subject", "session"]).contrast.nunique()
    assert main([str(shared_data), "--output", str(tmp_path / "datalist.json")]) == 0
    lists = read_datalist(tmp_path)
    assert sum(len(items) for items in lists.values()) == (scans == 2).sum() >= 10
    for person in ("patient12", "TCGA-FG-6692"):
        scans = [
            (split, item["session"]) for split, items in lists.items() for item in items if item["subject"] == person
        ]
        assert len(scans) == 2 and len(dict(scans)) == 1
