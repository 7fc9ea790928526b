"""A table of pairs: its columns, delimiters and encodings, and what is left out by line."""

from __future__ import annotations

from pathlib import Path

import pytest

from bundle.data.csv_pairs import read_csv
from bundle.data.datalist import read_datalist
from bundle.data.pairs import main
from bundle.errors import BundleError

from .tiny_images import volume


def table(folder: Path, *rows: str, encoding: str = "utf-8") -> Path:
    (folder / "pairs.csv").write_bytes("\n".join(rows).encode(encoding))
    return folder / "pairs.csv"


def files(folder: Path, *names: str) -> None:
    """``a1.nii`` and ``a2.nii`` for a."""
    volume(folder, *(f"{name}{k}.nii" for name in names for k in (1, 2)))


@pytest.mark.parametrize("delimiter", [",", ";", "\t"])
def test_a_csv_gives_subjects_sessions_and_sides(tmp_path, delimiter):
    files(tmp_path, *"abcd")
    rows = (
        "subject,t1,t2,session,split",
        "a,a1.nii,a2.nii,s1,test",
        "a,b1.nii,b2.nii,s2,test",
        "b,c1.nii,c2.nii,,training",
        "c,d1.nii,d2.nii,,",
    )
    path = table(tmp_path, *(row.replace(",", delimiter) for row in rows))
    assert main([str(path)]) == 0
    lists = read_datalist(tmp_path)
    assert [item["session"] for item in lists["test"]] == ["s1", "s2"]
    assert [item["subject"] for item in lists["training"]] == ["b"] and lists["validation"] == []


def test_columns_that_are_not_read_are_told_and_empty_lines_above_the_first_are_none(tmp_path):
    files(tmp_path, "a")
    found = read_csv(table(tmp_path, "", "", "subject,t1,t2,lesions,age,", "a,a1.nii,a2.nii,m.nii,3,", "b,,,,,"))
    assert [item["subject"] for item in found.items] == ["a"]
    assert found.remarks == ["columns that are not read: age, lesions; read are subject, t1, t2, session, split"]
    assert found.left_out[0].startswith("line 5:")


def test_rows_that_cannot_be_used_are_left_out_by_line(tmp_path):
    files(tmp_path, "a")
    path = table(
        tmp_path,
        "subject,t1,t2",
        "a,a1.nii,a2.nii",
        "a,a1.nii,a2.nii",
        "b,a1.nii,gone.nii",
        "c,,a2.nii",
        "d,x, y,a1.nii",
    )
    found = read_csv(path)
    assert [item["subject"] for item in found.items] == ["a"]
    assert [reason.split(":")[0] for reason in found.left_out] == ["line 3", "line 4", "line 5", "line 6"]
    assert "more cells than the first line" in found.left_out[-1]


def test_one_file_named_for_two_people_or_as_t1_and_t2_is_left_out(tmp_path):
    files(tmp_path, *"ab")
    rows = ("a,a1.nii,a2.nii", "a2,a1.nii,b2.nii", "b,b1.nii,./a2.nii", "c,b1.nii,b1.nii")
    found = read_csv(table(tmp_path, "subject,t1,t2", *rows))
    assert [item["subject"] for item in found.items] == ["a"]
    assert "a2: its T1 is the same image as the T1 of a" in found.left_out[0]
    assert "b: its T2 is the same image as the T2 of a" in found.left_out[1]
    assert "c: T1 and T2 are the same image" in found.left_out[2]


def test_one_t1_may_guide_two_scans_of_one_subject_but_a_scan_counts_once(tmp_path):
    files(tmp_path, *"ab")
    rows = ("a,a1.nii,a2.nii,s1", "a,a1.nii,b2.nii,s2", "a,b1.nii,a2.nii,s3")
    found = read_csv(table(tmp_path, "subject,t1,t2,session", *rows))
    assert [item["session"] for item in found.items] == ["s1", "s2"] and "a s3: its T2 is" in found.left_out[0]


def test_a_named_subject_whose_images_are_a_copy_is_left_out_without_ado(tmp_path):
    files(tmp_path, *"ab")
    rows = ("a,a1.nii,a2.nii,training", "b,a1.nii,a2.nii,test")
    assert main([str(table(tmp_path, "subject,t1,t2,split", *rows))]) == 0
    assert [len(items) for items in read_datalist(tmp_path).values()] == [1, 0, 0]


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
def test_unicode_is_read_whatever_its_mark(tmp_path, encoding):
    files(tmp_path, "ü")
    found = read_csv(table(tmp_path, "subject,t1,t2", "Müller,ü1.nii,ü2.nii", encoding=encoding))
    assert found.items[0]["subject"] == "Müller"


@pytest.mark.parametrize("encoding", ["cp1252", "utf-16-le", "utf-32"])
def test_another_encoding_is_refused_with_what_to_do(tmp_path, encoding):
    path = table(tmp_path, "subject,t1,t2", "Müller,ü1.nii,ü2.nii", encoding=encoding)
    with pytest.raises(BundleError, match="with the encoding UTF-8"):
        read_csv(path)


def test_cells_in_quotes_and_columns_that_nobody_asked_for_do_no_harm(tmp_path):
    files(tmp_path, "a, b\u2028")
    rows = (',subject,t1,t2,"a\nb",', '0,a,"a, b\u20281.nii","a, b\u20282.nii","x\ny",')
    assert read_csv(table(tmp_path, *rows)).items[0]["t2"].endswith("a, b\u20282.nii")


@pytest.mark.parametrize(
    ("rows", "words"),
    [
        (("subject,t1", "a,1.nii"), "lacks the columns t2"),
        (("subject,t1,t2,split", "a,1.nii,2.nii,train"), "not 'train'"),
        (("subject,t1,t2",), "pairs.csv has no row with a T1 and a T2"),
        (("",), "lacks the columns"),
        (
            ("subject,t1,t2", "a,1.nii,3.nii"),
            "No row of .* names a pair that can be read: line 2: .*3.nii does",
        ),
        (("subject,t1,t2,T1", "a,1,2,3"), "two columns t1"),
        (
            ("subject,t1,t2,split,session", "a,1.nii,2.nii,test,1", "a,1.nii,2.nii,training,2"),
            "line 3: a has the split",
        ),
        (("subject,t1,t2", f"a,{'x' * 200_000},2"), "field larger than"),
    ],
)
def test_a_csv_that_cannot_be_used_is_refused(tmp_path, rows, words):
    volume(tmp_path, "1.nii", "2.nii")
    with pytest.raises(BundleError, match=words):
        read_csv(table(tmp_path, *rows))
