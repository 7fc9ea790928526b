"""What the bundle says of itself: metadata, licence, versions and pins agree with each other and with the network."""

from __future__ import annotations

import ast
import json
import re
import subprocess
import sys
import tomllib
from collections.abc import Iterable, Iterator, Set
from hashlib import sha256
from importlib.metadata import packages_distributions, requires
from pathlib import Path

import pytest
import torch
import yaml
from jsonschema import Draft201909Validator
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from packaging.version import Version

from bundle.networks import MANet

ROOT = Path(__file__).parent.parent
METADATA = json.loads((ROOT / "configs/metadata.json").read_text(encoding="utf-8"))
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
APACHE_2 = "0649bc87ac07c40d996369e9e058b11734e3eedb25ae8be9e6293f1efb340353"  # of its words
NAMED_APART = {"monai_version": "monai", "pytorch_version": "torch", "numpy_version": "numpy"}
UNLOCKED = "tracking"  # the extra that CI does without
LOCKED = PROJECT["optional-dependencies"].keys() - {UNLOCKED}
LABEL = "bundle/label", "tests/label"  # for MONAI Label, in an environment of its own


def _lock(name: str = "requirements.lock") -> dict[str, str]:
    lines = (ROOT / name).read_text(encoding="utf-8").splitlines()
    pins = [line.split("==") for line in lines if line and not line.startswith("#")]
    return {canonicalize_name(name): version for name, version in pins}


def _ranges(extras: Iterable[str]) -> dict[str, Requirement]:
    lines = [*PROJECT["dependencies"], *(line for name in extras for line in PROJECT["optional-dependencies"][name])]
    ranges = [Requirement(line) for line in lines]
    return {canonicalize_name(one.name): one for one in ranges if one.name != PROJECT["name"]}


def _declared_versions() -> dict[str, str]:
    named = {package: METADATA[key] for key, package in NAMED_APART.items()}
    named |= METADATA["required_packages_version"]
    return {canonicalize_name(name): version for name, version in named.items()}


def _imported(folder: str) -> set[str]:
    """Top-level modules that are neither the standard library's nor this repository's own."""
    rooms = ("tests", "tests/label", "release/unit_tests")
    own = {"bundle", "release", "tests", *(file.stem for room in rooms for file in (ROOT / room).glob("*.py"))}
    inside = [file for file in sorted((ROOT / folder).rglob("*.py")) if folder in LABEL or file.parent.name != "label"]
    nodes = [node for file in inside for node in ast.walk(ast.parse(file.read_bytes()))]
    names = {alias.name for node in nodes if isinstance(node, ast.Import) for alias in node.names}
    names |= {node.module for node in nodes if isinstance(node, ast.ImportFrom) and node.level == 0 and node.module}
    return {name.split(".")[0] for name in names} - sys.stdlib_module_names - own


def _unasked(imported: set[str], asked: Set[str]) -> set[str]:
    """Modules of which no package is asked for."""
    providers = packages_distributions()
    # itk's own wheel is empty: its parts bring the module
    offered = {module: [module, *providers.get(module, [])] for module in imported}
    return {module for module, names in offered.items() if asked.isdisjoint(map(canonicalize_name, names))}


def _needed(name: str, extras: frozenset[str], python: str) -> Iterator[Requirement]:
    """What an installed package requires directly, on a version of Python."""
    for line in requires(name) or []:
        requirement = Requirement(line)
        environments = ({"extra": extra, "python_version": python} for extra in extras or {""})
        if requirement.marker is None or any(map(requirement.marker.evaluate, environments)):
            yield requirement


def test_metadata_follows_the_model_zoo_schema(shared_reference: Path) -> None:
    schema = json.loads((shared_reference / "meta_schema_20240725.json").read_text(encoding="utf-8"))
    assert schema["required"]
    assert METADATA["schema"].endswith("meta_schema_20240725.json")
    assert [error.message for error in Draft201909Validator(schema).iter_errors(METADATA)] == []


def test_the_version_stands_in_metadata_alone_and_the_package_is_built_with_it() -> None:
    setup = [sys.executable, "setup.py", "--quiet", "--version"]
    built = subprocess.run(setup, cwd=ROOT, capture_output=True, text=True, check=True)
    assert built.stdout.split() == [METADATA["version"]]
    assert "version" not in PROJECT and PROJECT["dynamic"] == ["version"]
    assert "version" not in yaml.safe_load((ROOT / "CITATION.cff").read_text(encoding="utf-8"))


def test_both_changelogs_tell_the_same_versions_the_present_one_first() -> None:
    told = re.findall(r"^## (\d+\.\d+\.\d+)", (ROOT / "CHANGELOG.md").read_text(encoding="utf-8"), re.MULTILINE)
    assert told == list(METADATA["changelog"]) == sorted(told, key=Version, reverse=True)
    assert told[0] == METADATA["version"]


def test_the_licence_is_apache_2_in_full() -> None:
    text = (ROOT / "LICENSE").read_text(encoding="utf-8")
    published = " ".join(re.sub(r"\n +Copyright .*", "", text).split())  # but for who holds the copyright
    assert published.startswith("Apache License Version 2.0, January 2004")
    assert sha256(published.encode()).hexdigest() == APACHE_2
    assert PROJECT["license"] == "Apache-2.0"


def test_versions_in_metadata_are_the_locked_ones_and_in_pyprojects_ranges() -> None:
    lock, ranges, declared = _lock(), _ranges(LOCKED), _declared_versions()
    assert {name: lock.get(name) for name in declared} == declared
    assert [name for name, version in declared.items() if version not in ranges[name].specifier] == []


def test_metadata_names_every_package_that_pyproject_asks_for() -> None:
    direct = {canonicalize_name(Requirement(line).name) for line in PROJECT["dependencies"]}
    assert direct - _declared_versions().keys() == set()


def test_the_lock_keeps_to_pyprojects_ranges() -> None:
    lock, ranges = _lock(), _ranges(LOCKED)
    assert {str(one) for name, one in ranges.items() if name not in lock or lock[name] not in one.specifier} == set()


def test_the_lock_names_exact_versions_and_no_place_to_get_them_from() -> None:
    lines = (ROOT / "requirements.lock").read_text(encoding="utf-8").splitlines()
    pins = [line for line in lines if not line.startswith("#")]
    assert [line for line in pins if not re.fullmatch(r"[A-Za-z0-9._-]+==[0-9][0-9A-Za-z.]*", line)] == []
    assert len(_lock()) == len(pins)


def test_the_lock_is_complete_and_holds_nothing_else() -> None:
    lock = _lock()
    unmet, needed = set(), set()
    for python in ("3.11", "3.12", "3.13"):
        seen, ahead = set(), list(_ranges(LOCKED).values())
        while ahead:
            one = ahead.pop()
            name, extras = canonicalize_name(one.name), frozenset(one.extras)
            if name not in lock or lock[name] not in one.specifier:
                unmet.add(str(one))
            elif (name, extras) not in seen:
                seen.add((name, extras))
                ahead += _needed(name, extras, python)
        needed |= {name for name, _ in seen}
    assert unmet == set()
    assert lock.keys() == needed


@pytest.mark.parametrize("folder", ["bundle", "release", "tests"])
def test_what_is_imported_is_asked_for_in_pyproject_and_pinned(folder: str) -> None:
    asked = (_ranges(LOCKED).keys() & _lock().keys()) | _ranges([UNLOCKED]).keys()
    assert {"numpy", "torch"} <= (imported := _imported(folder))
    assert _unasked(imported, asked) == set()


@pytest.mark.parametrize("folder", LABEL)
def test_what_is_imported_beside_monai_label_is_pinned_in_its_lock(folder: str) -> None:
    assert "monailabel" in (imported := _imported(folder))
    assert _unasked(imported, _lock("requirements-label.lock").keys()) == set()


def test_the_network_takes_and_gives_what_metadata_says() -> None:
    formats = METADATA["network_data_format"]
    given, expected = formats["inputs"]["image"], formats["outputs"]["pred"]
    assert (formats["inputs"].keys(), formats["outputs"].keys()) == ({"image"}, {"pred"})
    image = torch.rand(1, given["num_channels"], 16, 48, dtype=getattr(torch, given["dtype"]))
    with torch.no_grad():
        pred = MANet(channels=2).eval()(image)
    assert pred.shape == (1, expected["num_channels"], 16, 48)
    assert pred.dtype == getattr(torch, expected["dtype"])
    assert given["spatial_shape"] == expected["spatial_shape"] == ["16*n", "16*n"]
    for tensor in (given, expected):
        assert list(tensor["channel_def"]) == [str(channel) for channel in range(tensor["num_channels"])]
