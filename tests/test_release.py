"""The release has the repository's content in the Model Zoo's form, and works where there is nothing else."""

from __future__ import annotations

import functools
import hashlib
import io
import json
import os
import re
import subprocess
import sys
import threading
import zipfile
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path, PurePosixPath

import nibabel as nib
import pytest
import torch
import yaml
from monai.bundle import ConfigParser, verify_metadata

from bundle.networks import network_from
from release.build import CONFIGS, LARGE, NAME, UNIT_TESTS, build, contents, main, zipped
from tests.bundle_runs import ROOT
from tests.early import Early, new_folder
from tests.nifti_pairs import T2_SHAPE, write_pair

FILES = contents()
METADATA = json.loads(FILES["configs/metadata.json"])
TEXTS = {name: content.decode() for name, content in FILES.items() if not name.endswith((".pt", ".png"))}
CARD = TEXTS["docs/README.md"]
COMMANDS = "\n".join(re.findall(r"^```sh\n(.*?)^```$", CARD, re.MULTILINE | re.DOTALL))
PACKAGE = PurePosixPath("bundle/shipped/configs")


@Early
def used() -> tuple[Path, dict]:
    """The folder that ``release_user.py`` worked in, with the unpacked release, and what became of its steps."""
    folder = new_folder()
    build(folder / "dist")
    handler = functools.partial(SilentHandler, directory=str(folder / "dist"))
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        url = f"http://127.0.0.1:{server.server_port}/{NAME}_v{METADATA['version']}.zip"
        (folder / "work").mkdir()
        command = [sys.executable, "-P", str(ROOT / "tests" / "release_user.py"), NAME, url]
        command += [*write_pair(folder / "pair", "x"), str(folder / "dist")]
        environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
        environment["OMP_NUM_THREADS"] = "1"
        run = {"cwd": folder / "work", "env": environment, "capture_output": True, "text": True, "check": False}
        done = subprocess.run(command, **run)
        server.shutdown()
    assert done.returncode == 0, done.stderr[-3000:]
    return folder / "work", json.loads((folder / "work" / "results.json").read_text())


class SilentHandler(SimpleHTTPRequestHandler):
    """Serves files, and logs nothing."""

    def log_message(self, *_) -> None:
        pass


def result_of(step: str) -> object:
    result = used()[1][step]
    assert not str(result).startswith("Traceback"), result
    return result


@pytest.mark.slow
@pytest.mark.needs(used)
@pytest.mark.parametrize("step", ["downloaded", "shape_verified", "exported", "unit_tested"])
def test_what_the_zoo_and_its_users_do_with_the_zip_works_in_a_folder_elsewhere(step):
    assert result_of(step) is None


@pytest.mark.slow
@pytest.mark.needs(used)
def test_inference_in_an_empty_folder_needs_two_files_and_a_place_for_the_third():
    result_of("reconstructed")
    folder = used()[0]
    assert [path.name for path in (folder / "empty").iterdir()] == ["OUT"]
    assert {path.name for path in (folder / "empty" / "OUT").iterdir()} == {"x-T2_recon.nii.gz", "x-T2_recon.json"}
    assert nib.load(folder / "empty" / "OUT" / "x-T2_recon.nii.gz").shape == T2_SHAPE
    weights = json.loads((folder / "empty" / "OUT" / "x-T2_recon.json").read_text())["weights"]
    assert weights["file"] == str(folder / "models" / NAME / "models" / "model.pt")
    assert result_of("imported") == "bundle/__init__.py"


@pytest.mark.slow
@pytest.mark.needs(used)
@pytest.mark.parametrize("step", ["loaded", "loaded_for_inference"])
def test_monais_load_gives_the_network_with_its_weights_by_default_and_for_inference(step):
    weights = torch.load(ROOT / "models" / "model.pt", weights_only=True)
    network = network_from(weights).eval()
    network.load_state_dict(weights)
    image = torch.randn(1, 4, 32, 48, generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        torch.testing.assert_close(torch.tensor(result_of(step)), network(image))


def test_the_zip_has_the_same_bytes_at_every_run():
    again = zipped(dict(reversed(contents().items())))
    assert again == zipped(FILES)
    with zipfile.ZipFile(io.BytesIO(again)) as archive:
        entries = archive.infolist()
        assert archive.testzip() is None
    names = [entry.filename for entry in entries]
    assert names == sorted(names) and {name.split("/")[0] for name in names} == {NAME}
    # what else an entry has, of the files or of this machine
    assert {(entry.date_time, entry.external_attr, entry.create_system) for entry in entries} == {
        ((1980, 1, 1, 0, 0, 0), 0o100644 << 16, 3)
    }


def test_the_zip_is_named_by_the_version_and_the_unit_tests_lie_beside_it(tmp_path, capsys):
    assert main(["--output", str(tmp_path)]) == 0
    path = tmp_path / f"{NAME}_v{METADATA['version']}.zip"
    assert capsys.readouterr().out == f"{path}  SHA-256 {hashlib.sha256(path.read_bytes()).hexdigest()}\n"
    tests = {f"test_{NAME}.py", f"test_{NAME}_dist.py"}
    assert {file.name for file in tmp_path.iterdir()} == {path.name} | tests
    (tmp_path / "file").touch()
    assert main(["--output", str(tmp_path / "file" / "dist")]) == 1
    assert re.fullmatch(r"Error: Cannot write .*: .*file is a file, not a folder; .*\n", capsys.readouterr().err)


def test_no_config_has_both_suffixes_in_one_place():
    stems = [str(PurePosixPath(name).with_suffix("")) for name in FILES if name.endswith((".json", ".yaml", ".yml"))]
    assert len(stems) == len(set(stems))


@pytest.mark.parametrize(
    ("names", "sources"),
    [
        (["train"], ["train", "experiments/unrolled"]),
        (["train", "evaluate"], ["train", "experiments/unrolled", "evaluate"]),
        (["train", "multi_gpu_train"], ["train", "experiments/unrolled", "multi_gpu"]),
        (["inference"], ["inference"]),
    ],
)
def test_the_json_configs_mean_what_the_yaml_does(tmp_path, names, sources):
    for name in names:
        (tmp_path / f"{name}.json").write_text(TEXTS[f"configs/{name}.json"])
    made = ConfigParser.load_config_files([str(tmp_path / f"{name}.json") for name in names])
    source = ConfigParser.load_config_files([str(ROOT / "configs" / f"{name}.yaml") for name in sources])
    assert made == source
    assert list(made) == list(source)


def test_the_package_is_the_repositorys_and_has_its_yaml_as_a_wheel_has():
    for folder, target in (("bundle", "bundle"), ("configs", str(PACKAGE))):
        suffixes = {".py", ".j2", ".typed", ".yaml", ".conf"}
        paths = [path for path in (ROOT / folder).rglob("*") if path.suffix in suffixes]
        assert len(paths) > 20
        for path in paths:
            assert FILES[f"{target}/{path.relative_to(ROOT / folder).as_posix()}"] == path.read_bytes()


def test_the_files_are_those_that_the_zoo_asks_for(tmp_path):
    asked = {"LICENSE", "configs/metadata.json", "configs/logging.conf", "docs/README.md", "docs/data_license.txt"}
    asked |= {"models/model.pt", *(f"configs/{name}.json" for name in CONFIGS)}
    assert asked <= FILES.keys()
    assert max(map(len, FILES.values())) < 25e6  # its limit; those of its pre-commit are below
    assert METADATA["version"] in METADATA["changelog"]
    assert METADATA["supported_apps"] == {}  # none has checks of its own for this bundle
    packages = METADATA["required_packages_version"] | {"torch": METADATA["pytorch_version"]}
    assert [name for name, version in packages.items() if not re.fullmatch(r"\d+(\.\d+)+", version)] == []


def test_verify_metadata_passes_with_the_schema_beside_it(tmp_path, shared_reference):
    (tmp_path / "metadata.json").write_bytes(FILES["configs/metadata.json"])
    schema = tmp_path / "schema.json"
    schema.write_bytes((shared_reference / "meta_schema_20240725.json").read_bytes())
    verify_metadata(meta_file=str(tmp_path / "metadata.json"), filepath=str(schema))
    (tmp_path / "metadata.json").write_text(json.dumps(METADATA | {"task": 3}))
    with pytest.raises(ValueError, match="3 is not of type 'string'"):
        verify_metadata(meta_file=str(tmp_path / "metadata.json"), filepath=str(schema))


@pytest.mark.parametrize(
    ("name", "ids"),
    [
        ("inference", "bundle_root device network_def inferer output_dir dataset_dir preprocessing postprocessing"),
        ("train", "bundle_root device dataset_dir output_dir val_interval network_def"),
        ("train", "train::trainer::max_epochs train::dataset train::inferer train::handlers"),
        ("train", "validate::evaluator validate::handlers validate::dataset validate::inferer validate::key_metric"),
    ],
)
def test_the_configs_have_the_ids_that_the_zoo_asks_for(name, ids):
    parser = ConfigParser(json.loads(TEXTS[f"configs/{name}.json"]))
    assert [wanted for wanted in ids.split() if wanted not in parser] == []


def test_texts_are_as_the_zoos_pre_commit_leaves_them():
    for name, text in TEXTS.items():
        assert "\r" not in text and re.search(r"[ \t]$", text, re.MULTILINE) is None, name
        assert text == text.rstrip("\n") + "\n" * bool(text), name
        if name.endswith(".json"):
            assert text == json.dumps(json.loads(text), indent=4) + "\n", name
    assert len({name.lower() for name in FILES}) == len(FILES)


def test_code_is_formatted_as_the_zoos_black_does_which_ignores_the_magic_comma():
    options = ["--check", "--config", "format.skip-magic-trailing-comma=true"]
    ruff = [sys.executable, "-m", "ruff", "format", *options, "bundle", str(UNIT_TESTS)]
    done = subprocess.run(ruff, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout


def test_files_that_the_zoos_pre_commit_holds_back_are_named_with_their_place_when_it_is_given():
    assert "large_files.yml" not in FILES
    files = contents("https://host/folder/")
    named = yaml.safe_load(files["large_files.yml"])["large_files"]
    assert {one["path"] for one in named} == {name for name, content in files.items() if len(content) > LARGE}
    for one in named:
        assert one["url"] == "https://host/folder/" + one["path"].removeprefix("models/")
        assert one["hash_type"] == "sha256"
        assert one["hash_val"] == hashlib.sha256(files[one["path"]]).hexdigest()


def test_the_model_card_has_the_zoos_sections():
    sections = re.findall(r"^#+ (.+)$", CARD, re.MULTILINE)
    asked = ["Model Overview", "Data", "Training configuration", "Input", "Output", "Performance"]
    asked += ["MONAI Bundle Commands", "References", "License"]
    assert [section for section in sections if section in asked] == asked


def test_commands_and_links_of_the_documents_lead_to_files_of_the_release():
    named = set(re.findall(r"\b(?:configs|models)/\w+\.\w+", COMMANDS))
    assert named == {f"configs/{name}.json" for name in CONFIGS} | {"configs/metadata.json", "models/model.pt"}
    for name, text in TEXTS.items():
        if name.endswith(".md"):
            links = re.findall(r"\]\((?!https?:|#)([^)#]+)", text)
            places = [os.path.normpath(PurePosixPath(name).parent / link) for link in links]
            assert [place for place in places if place not in FILES] == []
