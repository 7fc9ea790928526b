"""Archives are unpacked whole or refused in a sentence, and only plain files inside the folder come of them."""

from __future__ import annotations

import hashlib
import io
import logging
import os
import shutil
import tarfile
from types import SimpleNamespace

import pytest

from bundle.errors import BundleError
from bundle.ixi import archives
from bundle.ixi.archives import CHECKSUMS, download_archives, unpack_archives

from .small_ixi import archive

T1 = {f"IXI00{number}-Guys-0001-T1.nii.gz": bytes([number]) * 2000 for number in (1, 2, 3)}


def free(monkeypatch, size):
    monkeypatch.setattr(shutil, "disk_usage", lambda folder: SimpleNamespace(free=size))


@pytest.fixture
def served(server):
    server.files = {"/IXI-T1.tar": archive(T1), "/IXI-T2.tar": archive({"IXI001-Guys-0001-T2.nii.gz": b"2" * 5000})}
    return server


def test_both_archives_are_fetched_with_checksums_and_unpacked_and_neither_is_done_twice(served, tmp_path, caplog):
    caplog.set_level(logging.INFO, "bundle")
    download_archives(tmp_path, served.url)
    assert "Downloading IXI-T1.tar 0.0 MB, IXI-T2.tar 0.0 MB: with what is unpacked they take" in caplog.text
    assert [line.split()[1] for line in (tmp_path / CHECKSUMS).read_text().splitlines()] == ["IXI-T1.tar", "IXI-T2.tar"]
    unpack_archives(tmp_path)
    assert {file.name: file.read_bytes() for file in (tmp_path / "IXI-T1").iterdir()} == T1
    asked = len(served.asked)
    (tmp_path / "IXI-T2.tar").unlink()  # unpacked: no longer needed
    download_archives(tmp_path, served.url)
    assert len(served.asked) == asked and "Nothing to download" in caplog.text
    (tmp_path / "IXI-T1.tar").write_bytes(b"not looked at")
    unpack_archives(tmp_path)


def test_images_of_an_archive_that_are_not_among_the_unpacked_are_named(served, tmp_path, caplog):
    download_archives(tmp_path, served.url)
    unpack_archives(tmp_path)
    assert "not unpacked" not in caplog.text
    folder = tmp_path / "IXI-T1"
    (folder / "IXI001-Guys-0001-T1.nii.gz").rename(folder / "IXI001-Guys-0001-T1.nii")  # packed otherwise, but there
    (folder / "IXI003-Guys-0001-T1.nii.gz").unlink()
    unpack_archives(tmp_path)
    assert "IXI-T1.tar holds 3 images, of which 1 are not unpacked (IXI003-Guys-0001-T1.nii)" in caplog.text


def test_what_is_not_the_file_that_others_know_is_told(served, tmp_path, monkeypatch, caplog):
    monkeypatch.setattr(archives, "SOURCE", served.url)
    known = {"IXI-T1.tar": hashlib.md5(served.files["/IXI-T1.tar"]).hexdigest(), "IXI-T2.tar": "0" * 32}
    monkeypatch.setattr(archives, "_KNOWN", known)
    download_archives(tmp_path, served.url)
    (told,) = [line for line in caplog.messages if "TorchIO" in line]
    assert "IXI-T2.tar" in told


def test_an_archive_that_differs_from_its_recorded_checksum_is_refused(served, tmp_path):
    download_archives(tmp_path, served.url)
    (tmp_path / "IXI-T1.tar").write_bytes(archive(T1 | {"IXI004-Guys-0001-T1.nii.gz": b"4"}))
    with pytest.raises(BundleError, match=r"IXI-T1.tar has the SHA-256 \w{12}\.\.\., and .* has recorded"):
        unpack_archives(tmp_path)
    assert not (tmp_path / "IXI-T1").exists()


def test_what_does_not_fit_on_the_disk_is_refused_before_anything_is_fetched(served, tmp_path, monkeypatch):
    free(monkeypatch, 40_000)  # both archives, and not what is in them
    with pytest.raises(BundleError, match=r"with what is unpacked they take 0\.0 MB in .*0\.0 MB are free; make room"):
        download_archives(tmp_path, served.url)
    assert served.asked == [] and os.listdir(tmp_path) == []


def test_an_archive_that_does_not_fit_unpacked_is_refused(tmp_path, monkeypatch):
    (tmp_path / "IXI-T1.tar").write_bytes(archive(T1))
    free(monkeypatch, 100)
    with pytest.raises(BundleError, match="Unpacking IXI-T1.tar: it takes"):
        unpack_archives(tmp_path)
    assert os.listdir(tmp_path) == ["IXI-T1.tar"]


@pytest.mark.parametrize("things", ["file", "folder"])
def test_what_a_person_has_put_where_an_archive_is_unpacked_stays(tmp_path, things):
    (tmp_path / "IXI-T1.tar").write_bytes(archive(T1))
    note = tmp_path / ("IXI-T1" if things == "file" else "IXI-T1/notes.txt")
    note.parent.mkdir(exist_ok=True)
    note.write_text("mine")
    with pytest.raises(BundleError, match=r"IXI-T1 is there and has no images of IXI-T1, .* move it away"):
        unpack_archives(tmp_path)
    assert note.read_text() == "mine" and sorted(os.listdir(tmp_path)) == ["IXI-T1", "IXI-T1.tar"]


def test_a_server_without_ixi_leaves_no_folder_behind(served, tmp_path):
    served.files = {}
    with pytest.raises(BundleError, match="404"):
        download_archives(tmp_path / "IXI", served.url)
    assert os.listdir(tmp_path) == []


def test_checksums_of_another_encoding_are_told(tmp_path):
    (tmp_path / "IXI-T1.tar").write_bytes(archive(T1))
    (tmp_path / CHECKSUMS).write_text("0  IXI-T1.tar", encoding="utf-16")
    with pytest.raises(BundleError, match="is no list of checksums in UTF-8"):
        unpack_archives(tmp_path)


def cut_in_a_file(content):
    return content[:3000]


def cut_between_files(content):
    return content[: 3 * (512 + 2048)]


def with_a_broken_header(content):
    return content[:2560] + b"\xff" * 512 + content[3072:]


def no_tar(content):
    return b"<html>moved</html>" * 200


@pytest.mark.parametrize("damage", [cut_in_a_file, cut_between_files, with_a_broken_header, no_tar])
def test_a_damaged_archive_leaves_nothing_behind(tmp_path, damage):
    (tmp_path / "IXI-T1.tar").write_bytes(damage(archive(T1)))
    with pytest.raises(BundleError, match=r"IXI-T1.tar is damaged, or no archive of IXI \(.+\); delete it"):
        unpack_archives(tmp_path)
    assert os.listdir(tmp_path) == ["IXI-T1.tar"]


def test_a_file_that_leads_out_of_the_folder_is_refused_and_links_are_left_out(tmp_path, caplog):
    (tmp_path / "data").mkdir()
    (tmp_path / "data/IXI-T1.tar").write_bytes(archive({"../outside": b"x"}))
    with pytest.raises(BundleError, match="outside the destination"):
        unpack_archives(tmp_path / "data")
    assert not (tmp_path / "outside").exists()
    file = io.BytesIO()
    with tarfile.open(fileobj=file, mode="w") as tar:
        link = tarfile.TarInfo("link")
        link.type, link.linkname = tarfile.SYMTYPE, "/etc/passwd"
        tar.addfile(link)
        tar.addfile(tarfile.TarInfo("IXI001-Guys-0001-T1.nii.gz"))
    (tmp_path / "data/IXI-T1.tar").write_bytes(file.getvalue())
    unpack_archives(tmp_path / "data")
    assert os.listdir(tmp_path / "data/IXI-T1") == ["IXI001-Guys-0001-T1.nii.gz"]
    assert "not unpacked, as they are no plain files: link" in caplog.text
