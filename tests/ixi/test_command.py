"""``python -m bundle ixi``: from archives on a server to lists that a training reads, again and again if need be."""

from __future__ import annotations

import json
import os
import re
import shutil
from functools import partial
from types import SimpleNamespace

import pandas as pd
import pytest

from bundle.__main__ import main as command_line
from bundle.data import RigidAlignmentd, find_pairs, mutual_information, read_datalist
from bundle.ixi import pair, subject
from bundle.ixi.__main__ import main

from .small_ixi import archive, image_bytes

SIZE = ["--image-size", "32", "--slices", "4", "--workers", "1"]
PEOPLE = {"IXI001-Guys-0001": 0, "IXI002-Guys-0002": 1, "IXI003-HH-0003": 2}
LONE, BROKEN = "IXI005-IOP-0005", "IXI006-IOP-0006"


def files(contrast):
    found = {f"{name}-{contrast}.nii.gz": image_bytes(contrast, person) for name, person in PEOPLE.items()}
    if contrast == "T1":
        found[f"{LONE}-T1.nii.gz"] = image_bytes("T1", 5)
    broken = bytearray(image_bytes(contrast, 6))
    broken[700] ^= 0xFF * (contrast == "T2")  # the header can be read
    return found | {f"{BROKEN}-{contrast}.nii.gz": bytes(broken)}


@pytest.fixture(scope="module")
def archives():
    return {f"/IXI-{contrast}.tar": archive(files(contrast)) for contrast in ("T1", "T2")}


@pytest.fixture(scope="module")
def unpacked(archives, tmp_path_factory):
    """A folder in which the images lie already."""
    folder = tmp_path_factory.mktemp("had") / "IXI"
    for contrast in ("T1", "T2"):
        (folder / contrast).mkdir(parents=True)
        for name, content in files(contrast).items():
            (folder / contrast / name).write_bytes(content)
    return folder


@pytest.fixture(scope="module")
def output(unpacked, tmp_path_factory):
    """What the command makes of it."""
    output = tmp_path_factory.mktemp("out") / "OUT"
    assert main([str(unpacked), "--output", str(output), *SIZE]) == 0
    return output


@pytest.fixture
def quick(monkeypatch):
    """The headers trusted, and little measured; the subjects that are prepared, by name."""
    names = []

    def align(t1, t2, *settings):
        names.append(os.path.basename(t2)[:6])
        return pair.align_pair(t1, t2, *settings)

    monkeypatch.setattr(pair, "RigidAlignmentd", partial(RigidAlignmentd, levels=0))
    monkeypatch.setattr(pair, "LEAST_LIKENESS", 0)
    for points in ("_POINTS", "_LIKENESS_POINTS"):
        monkeypatch.setattr(mutual_information, points, 1000)
    monkeypatch.setattr(subject, "align_pair", align)
    return names


def rows(output):
    return pd.read_csv(output / "subjects.csv", keep_default_na=False).set_index("subject").to_dict("index")


def test_from_the_server_to_the_lists_in_one_command(archives, server, tmp_path, capsys, quick):
    server.files = archives
    assert main([str(tmp_path / "IXI"), "--download", "--source", server.url, *SIZE]) == 0
    output = tmp_path / "IXI_prepared"
    told = capsys.readouterr().out
    assert f"{output / 'datalist.json'}: 3 pairs" in told and "1 left out, 1 failed" in told
    assert sorted(os.listdir(tmp_path / "IXI")) == [
        *("IXI-T1", "IXI-T1.tar", "IXI-T2", "IXI-T2.tar", "checksums.sha256")
    ]
    assert sorted(os.listdir(output)) == [*PEOPLE, "datalist.json", "subjects.csv"]


def test_the_lists_are_read_by_a_training_and_are_what_pairs_finds(output):
    lists = read_datalist(output)
    items = [item for items in lists.values() for item in items]
    assert sorted(item["subject"] for item in items) == ["IXI001", "IXI002", "IXI003"]
    assert {name: len(items) for name, items in lists.items()} == {"training": 1, "validation": 1, "test": 1}
    found = sorted(find_pairs(output).items, key=lambda item: item["subject"])
    assert found == sorted(items, key=lambda item: item["subject"])
    assert json.loads((output / "datalist.json").read_text())["training"][0]["t1"].startswith("IXI00")


def test_every_subject_has_a_row_and_those_without_a_pair_a_reason(output):
    found = rows(output)
    assert {name: row["state"] for name, row in found.items()} == {
        **{name[:6]: "prepared" for name in PEOPLE},
        "IXI005": "left out",
        "IXI006": "failed",
    }
    assert {row["hospital"] for row in found.values()} == {"Guys", "HH", "IOP"}
    assert "T1 without T2" in found["IXI005"]["reason"] and found["IXI005"]["list"] == ""
    assert "cut short or damaged" in found["IXI006"]["reason"]
    assert found["IXI001"]["list"] in ("training", "validation", "test") and float(found["IXI001"]["shift_mm"]) > 8


def test_a_second_run_prepares_nothing_and_leaves_the_lists(unpacked, output, quick):
    before = (output / "datalist.json").stat().st_mtime_ns
    assert main([str(unpacked), "--output", str(output), *SIZE]) == 0
    assert quick == ["IXI006"] and (output / "datalist.json").stat().st_mtime_ns == before


def test_a_run_that_is_interrupted_goes_on_with_what_is_not_there(unpacked, tmp_path, capsys, quick, monkeypatch):
    align, call = subject.align_pair, [str(unpacked), "--output", str(tmp_path / "out"), *SIZE]

    def interrupted(t1, *rest):
        if "IXI003" in t1:
            raise KeyboardInterrupt
        return align(t1, *rest)

    monkeypatch.setattr(subject, "align_pair", interrupted)
    assert command_line(["ixi", *call]) == 130
    assert capsys.readouterr().err.splitlines()[-1] == "Interrupted."
    half = tmp_path / "out/.0123456789ab"  # as a kill leaves it
    half.mkdir()
    os.utime(half, (0, 0))
    (tmp_path / "out/IXI002-Guys-0002/prepared.json").write_text("{")  # as a disk that was full might
    quick.clear()
    monkeypatch.setattr(subject, "align_pair", align)
    assert main([*call, "--overwrite"]) == 0
    assert quick == ["IXI002", "IXI003", "IXI006"] and not half.exists()


def test_nothing_is_overwritten_unasked(unpacked, output, capsys, quick):
    call = [str(unpacked), "--output", str(output)]
    assert main([*call, "--workers", "1", "--image-size", "32", "--slices", "5"]) == 1
    assert "holds subjects of other files or settings (IXI001-Guys-0001" in capsys.readouterr().err
    before = (output / "datalist.json").read_bytes()
    assert main([*call, *SIZE, "--seed", "3"]) == 1
    assert "has other lists than these subjects and this seed give" in capsys.readouterr().err
    assert (output / "datalist.json").read_bytes() == before
    (item,) = json.loads(before)["test"]
    assert rows(output)[item["subject"]]["list"] == "test"
    assert main([*call, *SIZE, "--seed", "3", "--overwrite"]) == 0
    assert (output / "datalist.json").read_bytes() != before


@pytest.mark.parametrize("content", ["[]", "{", "null", '{"training": [{"image": "a", "label": "b"}]}'])
def test_a_datalist_of_another_program_stays_and_is_told(unpacked, output, tmp_path, capsys, quick, content):
    copy = shutil.copytree(output, tmp_path / "copy")
    path = copy / "datalist.json"
    path.write_text(content)
    assert main([str(unpacked), "--output", str(copy), *SIZE]) == 1
    assert path.read_text() == content
    assert capsys.readouterr().err.splitlines()[-1].startswith(f"Error: {path} has other lists")
    assert rows(copy)["IXI001"]["state"] == "prepared" and rows(copy)["IXI001"]["list"] == ""


def test_where_nothing_can_be_prepared_the_status_is_1(tmp_path, capsys, quick):
    for contrast in ("T1", "T2"):
        (tmp_path / "IXI").mkdir(exist_ok=True)
        name = f"{BROKEN}-{contrast}.nii.gz"
        (tmp_path / "IXI" / name).write_bytes(files(contrast)[name])
    assert main([str(tmp_path / "IXI"), *SIZE]) == 1
    assert "None of 1 subject could be prepared" in capsys.readouterr().err
    assert os.listdir(tmp_path / "IXI_prepared") == ["subjects.csv"]


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["--output", "IXI/out"], "lies in .*IXI, where IXI's own images are looked for"),
        (["--image-size", "100"], "multiple of 16"),
        (["--download", "--output", "out", "--source", "ftp://x"], "no address of a web server"),
        (["--source", "http://127.0.0.1:1"], "--source http://127.0.0.1:1 is where --download fetches from"),
        (["--output", "file"], "The output folder .*file cannot be written"),
        (["--output", "~nobody/out"], "there is no .nii or .nii.gz file in it. --download fetches"),
    ],
)
def test_wrong_arguments_are_one_sentence(tmp_path, monkeypatch, capsys, arguments, sentence):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "IXI").mkdir()
    (tmp_path / "file").touch()
    assert main(["IXI", *arguments]) == 1
    (told,) = capsys.readouterr().err.splitlines()
    assert re.search(sentence, told)
    assert sorted(os.listdir()) == ["IXI", "file"]


def test_a_folder_that_is_none_is_told_with_the_way_to_fetch_ixi(tmp_path, capsys):
    (tmp_path / "loop").symlink_to("loop")
    for name in ("IXI", "loop"):
        assert main([str(tmp_path / name)]) == 1
        assert "no folder; DIR holds IXI-T1.tar and IXI-T2.tar, or their images. --download" in capsys.readouterr().err


def test_what_is_no_pair_of_ixi_is_left_out_or_refused(tmp_path, capsys, quick):
    folder = tmp_path / "IXI"
    folder.mkdir()
    for name in ("someone", *list(PEOPLE)[:2]):
        for contrast in ("T1", "T2"):
            (folder / f"{name}-{contrast}.nii.gz").write_bytes(image_bytes(contrast, len(name)))
        if name == "someone":
            assert main([str(folder), *SIZE]) == 1
            assert "holds pairs, but none that is named as IXI's are" in capsys.readouterr().err
    assert main([str(folder), *SIZE]) == 0
    found = rows(tmp_path / "IXI_prepared")
    assert {name: row["state"] for name, row in found.items()} == {"IXI001": "prepared", "IXI002": "left out"}
    assert "its T2 is the same image as the T2 of IXI001" in found["IXI002"]["reason"]


def test_a_disk_without_room_for_the_subjects_is_told_before_they_are_prepared(
    unpacked, tmp_path, capsys, monkeypatch, quick
):
    monkeypatch.setattr(shutil, "disk_usage", lambda folder: SimpleNamespace(free=10**4))
    assert main([str(unpacked), "--output", str(tmp_path / "out"), *SIZE]) == 1
    assert "Preparing 4 subjects" in capsys.readouterr().err and not quick
