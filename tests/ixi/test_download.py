"""A transfer ends whole or not at all, whatever the server does, and what has come is not fetched twice."""

from __future__ import annotations

import logging
import os
import random

import pytest

from bundle.errors import BundleError
from bundle.ixi.download import fetch, look_up, part_of

CONTENT = random.Random(0).randbytes(300_000)


@pytest.fixture
def url(server):
    server.files["/a.tar"] = CONTENT
    return f"{server.url}/a.tar"


def test_a_file_is_fetched_whole_and_named_at_the_end(url, tmp_path):
    fetch(look_up(url), tmp_path / "a.tar")
    assert (tmp_path / "a.tar").read_bytes() == CONTENT
    assert os.listdir(tmp_path) == ["a.tar"]


def test_a_truncated_transfer_is_gone_on_with_where_it_ended(url, server, tmp_path):
    part_of(tmp_path / "a.tar").write_bytes(CONTENT[:123_456])
    fetch(look_up(url), tmp_path / "a.tar")
    assert (tmp_path / "a.tar").read_bytes() == CONTENT
    assert server.asked == ["bytes=123456-"]


def test_a_server_that_closes_early_is_asked_again_for_the_rest(url, server, tmp_path):
    server.breaks = [100_000, 50_000]
    fetch(look_up(url), tmp_path / "a.tar")
    assert (tmp_path / "a.tar").read_bytes() == CONTENT
    assert server.asked == [None, "bytes=100000-", "bytes=150000-"]


def test_a_server_that_goes_on_closing_is_told_with_what_has_come_and_the_next_run_goes_on(url, server, tmp_path):
    server.breaks = [10_000] * 5
    with pytest.raises(BundleError, match=r"broke off 5 times, at last after 0.1 MB of 0.3 MB .*to go on from there"):
        fetch(look_up(url), tmp_path / "a.tar")
    assert os.listdir(tmp_path) == ["a.tar.part"]
    fetch(look_up(url), tmp_path / "a.tar")
    assert (tmp_path / "a.tar").read_bytes() == CONTENT
    assert server.asked[-1] == "bytes=50000-"


@pytest.mark.parametrize(
    ("left", "date", "ranges", "why"),
    [
        (CONTENT[:1000], None, False, "the server gives no parts of files"),
        (CONTENT + b"more", None, True, "it is longer than the server's file"),
        (b"old" * 1000, "Fri, 01 Jan 2100 00:00:00 GMT", True, "the server's file is newer"),
    ],
)
def test_what_cannot_be_gone_on_with_is_begun_anew_and_said(url, server, tmp_path, caplog, left, date, ranges, why):
    server.ranges, server.date = ranges, date
    part_of(tmp_path / "a.tar").write_bytes(left)
    with caplog.at_level(logging.INFO, "bundle"):
        fetch(look_up(url), tmp_path / "a.tar")
    assert (tmp_path / "a.tar").read_bytes() == CONTENT
    assert why in caplog.text and server.asked == [None]


def test_a_server_without_parts_that_closes_early_is_begun_anew(url, server, tmp_path):
    server.ranges, server.breaks = False, [100_000]
    fetch(look_up(url), tmp_path / "a.tar")
    assert (tmp_path / "a.tar").read_bytes() == CONTENT


def test_a_file_that_changes_its_size_meanwhile_is_refused(url, server, tmp_path):
    remote = look_up(url)
    server.files["/a.tar"] = CONTENT + b"more"
    with pytest.raises(BundleError, match="had 300000 bytes and now has 300004"):
        fetch(remote, tmp_path / "a.tar")
    assert not (tmp_path / "a.tar").exists()


@pytest.mark.parametrize(
    ("status", "sentence"),
    [(404, "is not to be had: the server answers 404 Not Found"), (503, "cannot be reached .Service Unavailable.")],
)
def test_a_refusal_is_told(url, server, status, sentence):
    server.status = status
    with pytest.raises(BundleError, match=sentence):
        look_up(url)


def test_a_server_that_is_not_there_and_an_address_of_another_kind_are_told(tmp_path):
    with pytest.raises(BundleError, match="cannot be reached .*refused"):
        look_up("http://127.0.0.1:9/a.tar")
    for url in (f"file://{tmp_path}", "http://[half/a.tar"):
        with pytest.raises(BundleError, match="no address of a web server"):
            look_up(url)


def test_a_server_that_tells_no_size_is_refused(url, server):
    server.ranges, server.told = False, [""]
    with pytest.raises(BundleError, match="does not tell its size"):
        look_up(url)


def test_a_folder_of_the_files_name_is_told_and_stays(url, tmp_path):
    (tmp_path / "a.tar").mkdir()
    with pytest.raises(BundleError, match=r"Cannot write .*a\.tar: Is a directory"):
        fetch(look_up(url), tmp_path / "a.tar")
    assert (tmp_path / "a.tar").is_dir()


def test_a_disk_that_is_full_meanwhile_is_told(url, tmp_path):
    (tmp_path / "a.tar.part").symlink_to("/dev/full")
    with pytest.raises(BundleError, match="Cannot write .*No space left"):
        fetch(look_up(url), tmp_path / "a.tar")
