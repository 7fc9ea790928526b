"""A path on MONAI's command line is the one that was typed, or is refused; the bundle finds its own files."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
from fire.parser import DefaultParseValue

from bundle import paths
from bundle.errors import BundleError
from bundle.paths import check_typed, data_root, own_path, own_root, path_of, shipped


@pytest.fixture
def handed(monkeypatch, tmp_path):
    """What MONAI makes of ``--output_dir TEXT``: fire's value, with ``::`` for ``#``; the working folder is empty."""
    monkeypatch.chdir(tmp_path)

    def hand(*words: str) -> object:
        monkeypatch.setattr(sys, "argv", ["run", "training", *words, "--epochs", "3"])
        value = DefaultParseValue(words[-1].removeprefix("--output_dir="))
        return value.replace("#", "::") if isinstance(value, str) else value

    return hand


NAMES = [
    "out",
    "20240105",
    "007",
    "T2 säg (1)",
    "a=b",
    "/data/run#7/x",
    "./run#7",
    "../a,b",
    "./a,b",
    "./0x10",
    "./[x]",
]
NAMES += ["./1e3", "./$x", "./@x", "./%x", "./'x'", "a.b", "x-1", "a&b;c", "{", "data/2024-01-05", "/a,b/c", "x" * 250]


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("joined", [False, True])
def test_what_was_typed_comes_back(handed, name, joined):
    value = handed(f"--output_dir={name}") if joined else handed("--output_dir", name)
    assert path_of("output_dir", value) == Path(name)


@pytest.mark.parametrize("name", ["0x10", "1_000", "1e3", "2024.10", "a,b", "[x]", "{a: b}", "run#7", "5#x", "True"])
def test_what_is_lost_is_refused_with_the_way_to_write_it(handed, name):
    with pytest.raises(BundleError, match="output_dir is a path, but what came is .*; write it with ./") as error:
        path_of("output_dir", handed("--output_dir", name))
    assert f"as ./{name}." in str(error.value)


@pytest.mark.parametrize("value", [16, 1.5, True, None, "", ("a", "b"), ["a"], {"a": 1}])
def test_a_config_files_value_that_is_no_text_is_refused(value):
    with pytest.raises(BundleError, match="^cache_dir is a path"):
        path_of("cache_dir", value)


@pytest.mark.parametrize("name", ["$T2", "@T2"])
def test_name_that_is_code_to_monai_is_refused_where_the_code_fails(handed, name):
    handed("--output_dir", name)
    check_typed("output_dir", lambda name: "what it gives")
    with pytest.raises(BundleError, match="output_dir is a path, but what begins with . is code") as error:
        check_typed("output_dir", lambda name: 1 / 0)
    assert f"as ./{name}." in str(error.value)


def test_other_names_are_not_evaluated(handed):
    handed("--output_dir", "a$b")
    for name in ("output_dir", "t1"):
        check_typed(name, lambda name: pytest.fail("evaluated"))


def test_text_of_a_script_is_taken_as_it_is(handed):
    handed("--output_dir", "run#7")
    assert path_of("output_dir", "elsewhere/run") == Path("elsewhere/run")
    assert path_of("t1", Path("a")) == Path("a")


def test_home_is_meant_by_a_tilde_but_not_where_a_folder_is_called_so(tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.chdir(tmp_path)
    assert path_of("t1", "~/a") == tmp_path / "a"
    assert path_of("t1", "./~/a").expanduser() == tmp_path / "~" / "a"
    assert path_of("t1", "a~b") == Path("a~b")


def test_what_exists_with_two_colons_keeps_them_and_both_are_refused(tmp_path):
    (tmp_path / "a::b").mkdir()
    assert path_of("t1", f"{tmp_path}/a::b/c::d") == tmp_path / "a::b" / "c#d"
    (tmp_path / "a#b").mkdir()
    with pytest.raises(BundleError, match="t1 could be .*a::b or .*a#b"):
        path_of("t1", f"{tmp_path}/a::b/c")


def test_the_bundles_folder_is_the_repository_or_what_the_wheel_holds(tmp_path, monkeypatch):
    root = Path(__file__).parents[1]
    monkeypatch.chdir(tmp_path)
    assert own_root() == data_root() == root
    (tmp_path / "shipped" / "models").mkdir(parents=True)
    monkeypatch.setattr(paths, "_INSTALLED", tmp_path / "shipped")
    (tmp_path / "work").mkdir()
    monkeypatch.chdir(tmp_path / "work")
    assert own_root() == tmp_path / "shipped"
    assert data_root() == tmp_path / "work"  # data are no part of an installed package


def test_a_release_has_its_yaml_in_the_package_and_its_weights_beside_it(tmp_path, monkeypatch):
    (tmp_path / "bundle" / "shipped" / "configs").mkdir(parents=True)
    monkeypatch.setattr(paths, "_PACKAGE", tmp_path / "bundle")
    monkeypatch.setattr(paths, "_INSTALLED", tmp_path / "bundle" / "shipped")
    assert (own_root(), own_path("models/model.pt")) == (tmp_path, tmp_path / "models" / "model.pt")
    assert own_path("configs") == tmp_path / "bundle" / "shipped" / "configs"


def test_a_shipped_file_is_found_by_its_name_from_any_folder_unless_one_stands_there(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    name = "configs/studies/smoke.yaml"
    assert shipped(name) == own_root() / name
    assert shipped("configs/studies/none.yaml") == Path("configs/studies/none.yaml")
    (tmp_path / "configs" / "studies").mkdir(parents=True)
    (tmp_path / name).touch()
    assert shipped(name) == Path(name)
