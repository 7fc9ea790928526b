"""Equal images are told by content, and by no more of it than need be read."""

from __future__ import annotations

import gzip
from pathlib import Path

from bundle.data.same_images import same_images

RAW = bytes(range(256)) * 400
END = RAW[:5000]


def write(folder: Path, **contents: bytes) -> dict[str, str]:
    for name, content in contents.items():
        (folder / name.replace("_", ".")).write_bytes(content)
    return {name: str(folder / name.replace("_", ".")) for name in contents}


def test_the_first_of_equal_files_stands_for_them_packed_or_not(tmp_path):
    files = write(
        tmp_path,
        a_nii=RAW,
        b_nii_gz=gzip.compress(RAW, 1),
        c_nii_gz=gzip.compress(RAW, 9),
        d_nii=RAW[:-1] + b"x",
        e_nii_gz=gzip.compress(RAW[:-1] + b"x"),
        f_nii=RAW[::-1],
        g_nii=RAW + b"x",
    )
    first = same_images(list(files.values()))
    assert [first[file] for file in files.values()] == [
        files[name] for name in ("a_nii", "a_nii", "a_nii", "d_nii", "d_nii", "f_nii", "g_nii")
    ]


def test_links_and_names_given_twice_are_the_file_itself(tmp_path):
    file = write(tmp_path, a_nii=RAW)["a_nii"]
    (tmp_path / "link.nii").symlink_to("a.nii")
    link = str(tmp_path / "link.nii")
    assert same_images([link, file, link]) == {link: link, file: link}


def test_equal_samples_or_checksums_alone_do_not_make_files_equal(tmp_path):
    middle = bytes(100_000)
    files = write(
        tmp_path,
        a_nii=b"1" + middle + b"1",
        b_nii=b"2" + middle + b"2",  # equal in the middle
        c_nii_gz=gzip.compress(RAW + b"1") + gzip.compress(END),
        d_nii_gz=gzip.compress(RAW + b"2") + gzip.compress(END),  # equal in what stands at their ends
        e_nii_gz=b"damaged" + gzip.compress(END)[-8:],
        f_nii_gz=b"",
    )
    assert same_images(list(files.values())) == {file: file for file in files.values()}


def test_images_too_small_for_a_person_may_be_equal(tmp_path):
    files = write(tmp_path, a_nii=RAW[:4095], b_nii=RAW[:4095], c_nii=RAW[:4096], d_nii=RAW[:4096])
    assert list(same_images(list(files.values())).values()) == [
        files[name] for name in ("a_nii", "b_nii", "c_nii", "c_nii")
    ]


def test_no_files_are_no_images():
    assert same_images([]) == {}
