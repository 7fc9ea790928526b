"""The command: lists by number, fraction and name, a summary of what was left out, and one sentence for mistakes."""

from __future__ import annotations

import inspect
import io
import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from bundle import data
from bundle.__main__ import main as command_line
from bundle.data.datalist import read_datalist
from bundle.data.pairs import main
from tests.bundle_runs import ROOT

from .tiny_images import volume


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
    assert "1 pair of 1 subject" in summary


def test_paths_are_relative_to_the_output_with_forward_slashes(tmp_path):
    volume(tmp_path, "data/a/T1w.nii", "data/a/T2w.nii")
    assert main([str(tmp_path / "data"), "--output", str(tmp_path / "lists" / "datalist.json")]) == 0
    item = json.loads((tmp_path / "lists" / "datalist.json").read_text())["training"][0]
    assert item == {"subject": "a", "t1": "../data/a/T1w.nii", "t2": "../data/a/T2w.nii"}
    assert read_datalist(tmp_path / "lists")["training"][0]["t1"] == str(tmp_path.resolve() / "data/a/T1w.nii")


def test_ixi_is_split_as_in_the_paper_by_default(tmp_path, monkeypatch):
    for module in ("folder_pairs", "datalist"):  # nibabel takes seconds for so many headers
        monkeypatch.setattr(f"bundle.data.{module}.header_flaw", lambda *_, **__: "")
    volume(tmp_path, "any.nii")
    image = (tmp_path / "any.nii").read_bytes()
    for number in range(2 * 577):
        name = f"IXI{number // 2:03d}-Guys-0001-T{number % 2 + 1}.nii"
        (tmp_path / name).write_bytes(image[:-4] + number.to_bytes(4, "little"))
    assert main([str(tmp_path)]) == 0
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
        ([str(tmp_path / "a"), "--output", str(tmp_path / "a/a_T1.nii/d.json")], "cannot be written"),
        (["--csv", str(tmp_path / "gone.csv")], "cannot be read"),
    ):
        capsys.readouterr()
        assert main(arguments) == 1
        message = capsys.readouterr().err
        assert words in message and message.count("\n") == 1 and "Traceback" not in message


@pytest.mark.parametrize("size", ["abc", "1.5", "nan", "-1"])
def test_a_size_that_is_none_is_refused_with_what_is_expected(tmp_path, capsys, size):
    with pytest.raises(SystemExit):
        main([str(tmp_path), f"--training={size}"])
    assert f"{size} is neither a whole number nor a fraction between 0 and 1" in capsys.readouterr().err


def test_a_split_of_more_than_is_left_names_what_was_left_out(tmp_path, capsys):
    volume(tmp_path, *(f"{folder}sub-1_{name}.nii" for folder in ("", "fmriprep/") for name in ("T1w", "T2w")))
    assert main([str(tmp_path), "--training", "2"]) == 1
    said = capsys.readouterr().err
    assert "but there is 1 subject to divide" in said and "fmriprep/sub-1_T1w.nii not used, sub-1_T1w.nii" in said


def test_an_existing_datalist_is_kept_without_and_replaced_with_overwrite(tmp_path):
    volume(tmp_path, "a_T1.nii", "a_T2.nii")
    (tmp_path / "datalist.json").write_text("precious")
    assert main([str(tmp_path)]) == 1 and (tmp_path / "datalist.json").read_text() == "precious"
    assert main([str(tmp_path), "--overwrite"]) == 0 and len(read_datalist(tmp_path)["training"]) == 1


def test_what_is_no_datalist_by_its_name_is_never_replaced_by_one(tmp_path, capsys):
    volume(tmp_path, "a_T1.nii", "a_T2.nii")
    table = tmp_path / "pairs.csv"
    table.write_text("subject,t1,t2\na,a_T1.nii,a_T2.nii\n")
    for output in ("pairs.csv", "a_T1.nii"):
        before = (tmp_path / output).read_bytes()
        assert main([str(table), "--output", str(tmp_path / output), "--overwrite"]) == 1
        assert f"{output} is no datalist and is not replaced by one" in capsys.readouterr().err
        assert (tmp_path / output).read_bytes() == before


def test_what_these_lists_cannot_be_used_for_is_said(tmp_path, capsys):
    for people, counts, words in (
        ("a", [1, 0, 0], "nothing can be trained on these lists: .* validation and test are empty \\(1 in all\\)"),
        ("ab", [1, 1, 0], "test is empty: evaluate another list, as with --split validation"),
        ("abc", [1, 1, 1], None),
    ):
        volume(tmp_path, *(f"{name}_T{contrast}.nii" for name in people for contrast in (1, 2)))
        assert main([str(tmp_path), "--overwrite"]) == 0
        assert [len(items) for items in read_datalist(tmp_path).values()] == counts
        summary = capsys.readouterr().out
        assert re.search(words, summary) if words else "Note:" not in summary


def test_letters_that_the_console_lacks_are_escaped(tmp_path, monkeypatch):
    volume(tmp_path, *(f"{name}_T{contrast}.nii" for name in ("\u5c71\u7530", "b") for contrast in (1, 2)))
    console = io.TextIOWrapper(io.BytesIO(), encoding="cp1252")
    monkeypatch.setattr(sys, "stdout", console)
    assert command_line(["pairs", str(tmp_path)]) == 0
    console.flush()
    assert rb"\u5c71\u7530" in console.buffer.getvalue()
    assert "\u5c71\u7530" in (tmp_path / "datalist.json").read_text(encoding="utf-8")


def test_names_that_are_no_text_end_in_no_traceback(tmp_path, capsys):
    folder = Path(os.fsdecode(os.fsencode(tmp_path) + b"/M\xfcller"))
    try:
        volume(folder, *(f"{name}_T{contrast}.nii" for name in ("a\udcfc", "b") for contrast in (1, 2)))
    except OSError:
        pytest.skip("this file system takes UTF-8 only")
    assert command_line(["pairs", str(folder)]) == 0 and "its name is not UTF-8" in capsys.readouterr().out
    assert [item["t1"] for item in read_datalist(folder)["training"]] == [str(folder.resolve() / "b_T1.nii")]
    assert command_line(["pairs", str(folder), "--output", str(tmp_path / "d.json")]) == 1
    assert "not UTF-8; rename it" in capsys.readouterr().err and not (tmp_path / "d.json").exists()


def test_pairs_are_found_without_importing_torch_or_monai(tmp_path):
    volume(tmp_path, "a_T1.nii", "a_T2.nii")
    program = (
        "import sys\nfrom bundle.__main__ import main\n"
        f"assert main(['pairs', {str(tmp_path)!r}]) == 0\n"
        "assert not {'torch', 'monai', 'itk', 'ignite'} & sys.modules.keys()"
    )
    result = subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=False)
    assert (result.returncode, result.stderr) == (0, "")


def test_the_data_package_offers_what_it_names_and_nothing_else():
    typed = set(re.findall(r"^    from \.\w+ import (\w+)", inspect.getsource(data), re.MULTILINE))
    assert typed and typed == set(data.__all__)
    assert all(getattr(data, name).__name__ == name for name in typed) and not hasattr(data, "nothing")


def test_home_is_meant_by_a_tilde_that_the_shell_left_behind_an_equals_sign(tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    volume(tmp_path, "data/a/T1w.nii", "data/a/T2w.nii")
    (tmp_path / "lists").mkdir()
    assert main(["~/data", "--output=~/lists"]) == 0
    assert (tmp_path / "lists" / "datalist.json").is_file()


def test_a_folder_that_cannot_be_written_is_told_before_the_search(tmp_path, capsys):
    (tmp_path / "file").touch()
    for source, told in ((tmp_path, "The datalist's folder"), (tmp_path / "nowhere", "nowhere is not a folder")):
        assert main([str(source), "--output", str(tmp_path / "file" / "list.json")]) == 1
        assert told in capsys.readouterr().err
