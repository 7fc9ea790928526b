"""The configs: every setting at the top, overlays with differences only, and what MONAI checks of a bundle."""

from __future__ import annotations

import ast
import builtins
import hashlib
import json
import re
from pathlib import Path

import pytest
import torch
import yaml
from monai.bundle import ConfigParser, ConfigWorkflow, ckpt_export, verify_net_in_out

from bundle.acquisition import AcquiredImaged
from bundle.evaluation import UnguidedImaged
from bundle.networks import MANet
from tests.bundle_runs import ROOT, TINY
from tests.nifti_pairs import write_dataset

OVERLAYS = sorted((ROOT / "configs" / "experiments").glob("*.yaml")) + [
    ROOT / "configs" / "evaluate.yaml",
    ROOT / "configs" / "trust.yaml",
    ROOT / "configs" / "multi_gpu.yaml",
    ROOT / "configs" / "cross_validation.yaml",
    ROOT / "configs" / "demo.yaml",
    ROOT / "configs" / "fastmri.yaml",
    ROOT / "configs" / "m4raw.yaml",
]
# What an overlay may add to train.yaml; any other key that train.yaml lacks is a typing mistake
ADDED = {
    "evaluate": {
        "split",
        "checkpoint",
        "save_reconstructions",
        "save_at_most",
        "save_uncertainty",
        "coverage",
        "structures",
        "inserted",
        "covered",
        "calibrations",
        "weights",
        "load",
        "reconstructions",
        "register_to",
        "check_guide",
        "guide_check",
        "validate::dataset::check",
        "evaluating",
        "cascades",
        "widths",
        "instance_norm",
    },
    "trust": {"save_uncertainty", "coverage", "structures"},  # of evaluate.yaml
    "cross_validation": {"folds", "fold"},
    "fastmri": {"pairs"},
    "multi_gpu": {"sync_batch_norm"},
    "dudornet": {"recurrences"},
    "unrolled": {
        "cascades",
        "widths",
        "instance_norm",
        "train::dataset::min_foreground",
        "train::dataset::augmentation",
    },
    "unrolled_lesions": {"train::dataset::augmentation"},
    "unrolled_smaller_field": {"train::dataset::augmentation"},
    "unrolled_multicoil": {"coils", "acquisition::coils"},
    "zero_filled": {"weights"},  # of evaluate.yaml
    "compressed_sensing": {"weights"},
}
OTHERS = {"run", "save_execute_config"}  # what MONAI itself looks for


def parsed(*names: str) -> ConfigParser:
    parser = ConfigParser()
    parser.read_config([str(ROOT / "configs" / name) for name in names])
    return parser


def content(name: str) -> dict:
    return yaml.safe_load((ROOT / "configs" / f"{name}.yaml").read_text())


@pytest.mark.parametrize("name", ["train", "inference", "inference_kspace"])
def test_every_setting_at_the_top_changes_something(name):
    text = (ROOT / "configs" / f"{name}.yaml").read_text()
    settings = [
        key for key, value in content(name).items() if not isinstance(value, (dict, list)) and key not in OTHERS
    ]
    assert [key for key in settings if not re.search(rf"@{key}\b", text)] == []


@pytest.mark.parametrize("path", OVERLAYS, ids=lambda path: path.stem)
def test_an_overlay_overrides_what_train_yaml_has(path: Path):
    train = parsed("train.yaml")
    keys = {key.lstrip("+") for key in yaml.safe_load(path.read_text())}
    assert {key for key in keys if key not in train} == ADDED.get(path.stem, set())


def test_lesions_come_before_the_very_augmentations_of_unrolled_yaml():
    own, unrolled = (
        content(f"experiments/{name}")["train::dataset::augmentation"] for name in ("unrolled_lesions", "unrolled")
    )
    assert own[0]["_target_"] == "bundle.acquisition.InsertedLesions" and own[1:] == unrolled


@pytest.mark.parametrize("path", OVERLAYS, ids=lambda path: path.stem)
def test_an_overlay_holds_differences_only(path: Path):
    train = parsed("train.yaml")
    values = yaml.safe_load(path.read_text())
    assert [key for key, value in values.items() if key in train and train[key] == value] == []


def expressions_of(value) -> list[str]:
    """Every ``$`` expression in a config."""
    if isinstance(value, str):
        return [value.lstrip("$")] * value.startswith("$")
    parts = value.values() if isinstance(value, dict) else value if isinstance(value, list) else []
    return [expression for part in parts for expression in expressions_of(part)]


@pytest.mark.parametrize("path", sorted((ROOT / "configs").rglob("*.yaml")), ids=lambda path: path.stem)
def test_an_expression_names_nothing_that_is_not_imported(path: Path):
    base = {} if path.stem in ("inference", "inference_kspace") else content("train")
    values = yaml.safe_load(path.read_text())
    imports = [line.split()[-1] for line in base.get("imports", []) + values.pop("imports", [])]
    known = {*imports, *dir(builtins), "monai", "torch", "np", "numpy"}
    for expression in expressions_of(values):
        tree = ast.parse(re.sub("@[A-Za-z_:0-9]+", "None", expression), mode="eval")
        bound = {node.id for node in ast.walk(tree) if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store)}
        names = {node.id for node in ast.walk(tree) if isinstance(node, ast.Name)}
        assert names <= known | bound, expression


def test_folds_test_each_subject_once(tmp_path):
    write_dataset(tmp_path)
    tested = []
    for fold in range(4):
        parser = parsed("train.yaml", "cross_validation.yaml")
        parser.update({"dataset_dir": str(tmp_path), "folds": 4, "fold": fold})
        lists = parser.get_parsed_content("datalist")
        (subject,) = {item["subject"] for item in lists["test"]}
        assert {item["subject"] for item in lists["training"]} == set("abcd") - {subject}
        tested.append(subject)
    assert sorted(tested) == list("abcd")


@pytest.mark.parametrize(
    ("name", "parameters"),
    [
        ("unet_t2", 7_756_097),
        ("xiang", 1_892_353),
        ("dudornet", 650_628),
        ("zero_filled", 0),
        ("compressed_sensing", 0),
        ("without_kspace_stage", 3_641_674),
        ("without_attention", 7_406_790),
        ("attention_sc", 7_283_670),
        ("attention_sc_cs", 7_292_646),
        ("t2_only", 7_283_670),
        ("t1_only", 7_283_670),
        ("unrolled", 3_480_348),
    ],
)
def test_each_methods_overlay_builds_its_network_at_its_papers_size(name, parameters):
    network = parsed("train.yaml", f"experiments/{name}.yaml").get_parsed_content("network_def")
    assert sum(parameter.numel() for parameter in network.parameters()) == parameters


def test_inference_yaml_means_by_an_id_what_train_yaml_means():
    train, inference = content("train"), content("inference")
    own = {"imports", "cache_dir", "preprocessing", "network_def", "run", "claim", "demo_data", "track"}
    shared = train.keys() & inference.keys() - own
    assert shared >= {"acquisition", "network", "pattern", "image_size", "seed"}
    assert {key: inference[key] for key in shared} == {key: train[key] for key in shared}
    assert inference["inferer"] == train["validate"]["inferer"]
    evaluate = content("evaluate")
    own = {"checkpoint", "split", "weights", "network_def", "register_to"}
    assert {key for key in own if inference[key] != evaluate[key]} == {"weights"}  # the shipped ones are inference's
    assert str(evaluate["preprocessing"]).replace("@validate::", "@") == str(inference["preparation"])


def test_inference_kspace_yaml_means_by_an_id_what_inference_yaml_means():
    raw, inference = content("inference_kspace"), content("inference")
    own = {"dataset", "network_def", "postprocessing", "reports", "handlers", "claim", "inference"}
    shared = raw.keys() & inference.keys() - own
    assert shared >= {"network", "weights", "inferer", "evaluator", "device", "load"}
    assert {key: raw[key] for key in shared} == {key: inference[key] for key in shared}
    assert raw.keys() - inference.keys() == {"kspace", "raw_scan"}


@pytest.mark.parametrize(
    ("names", "place"), [(("train.yaml", "evaluate.yaml"), "validate::dataset"), (("inference.yaml",), "dataset")]
)
def test_t1_is_registered_to_the_very_scan_that_the_network_is_given(names, place):
    parser = parsed(*names)
    parser[f"{place}::seed"] = 7  # as a study gives all seeds of training one scan
    parser[f"{place}::acquisition"] = {**parser["acquisition"], "noise": {"_target_": "bundle.acquisition.KspaceNoise"}}
    parser[f"{place}::acquisition::noise::level"] = 0.25
    name = "preparation" if "inference.yaml" in names else "preprocessing"
    image = parser.get_parsed_content(name).transforms[1]
    assert image.seed == 7 and image.acquisition.noise.level == 0.25


@pytest.mark.parametrize(
    ("register_to", "made"), [("acquired", AcquiredImaged), ("reconstruction", UnguidedImaged), ("t2", None)]
)
def test_only_that_image_is_made_which_t1_is_registered_to(register_to, made, tmp_path):
    places = {("train.yaml", "evaluate.yaml"): "preprocessing", ("inference.yaml",): "preparation"}
    for names, place in places.items():
        parser = parsed(*names)
        parser.update({"register_to": register_to, "checkpoint": str(tmp_path / "not there, and not read yet")})
        transforms = parser.get_parsed_content(place).transforms
        assert [type(transform) for transform in transforms[1:-2]] == ([made] if made else [])
        assert transforms[-2].keys[0] == register_to


@pytest.mark.parametrize(("kind", "name"), [("train", "train"), ("infer", "inference")])
def test_monai_finds_the_properties_that_a_bundle_must_have(monkeypatch, tmp_path, kind, name):
    monkeypatch.chdir(ROOT)
    torch.save(MANet(channels=4, depth=1).state_dict(), tmp_path / "model.pt")
    settings = {"train": TINY, "infer": {"checkpoint": str(tmp_path / "model.pt"), "image_size": 32}}[kind]
    workflow = ConfigWorkflow(
        config_file=str(ROOT / "configs" / f"{name}.yaml"),
        meta_file=str(ROOT / "configs" / "metadata.json"),
        logging_file=str(ROOT / "configs" / "logging.conf"),
        workflow_type=kind,
        dataset_dir=str(write_dataset(tmp_path / "data")),
        output_dir=str(tmp_path / "out"),
        **settings,
    )
    workflow.initialize()
    assert workflow.check_properties() == []


def network_settings(tmp_path: Path) -> dict:
    torch.save(MANet(channels=4, depth=1).state_dict(), tmp_path / "model.pt")
    return {
        "config_file": str(ROOT / "configs" / "inference.yaml"),
        "checkpoint": str(tmp_path / "model.pt"),
        "bundle_root": str(ROOT),
    }


def test_verify_net_in_out_passes(tmp_path):
    verify_net_in_out(
        net_id="network_def",
        meta_file=str(ROOT / "configs" / "metadata.json"),
        device="cpu",
        p=2,
        n=2,
        **network_settings(tmp_path),
    )


def test_the_exported_torchscript_computes_the_same(tmp_path):
    settings = network_settings(tmp_path)
    ckpt_export(
        net_id="network_def",
        filepath=str(tmp_path / "model.ts"),
        ckpt_file=str(tmp_path / "model.pt"),
        meta_file=str(ROOT / "configs" / "metadata.json"),
        config_file=settings["config_file"],
        checkpoint=settings["checkpoint"],
        bundle_root=settings["bundle_root"],
    )
    network = MANet(channels=4, depth=1).eval()
    network.load_state_dict(torch.load(tmp_path / "model.pt", weights_only=True))
    image = torch.randn(1, 4, 32, 48, generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        torch.testing.assert_close(torch.jit.load(tmp_path / "model.ts")(image), network(image))


def test_inference_in_a_folder_that_is_no_bundle_takes_the_weights_of_the_bundle_that_runs(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert parsed("inference.yaml").get_parsed_content("weights").path == ROOT / "models" / "model.pt"


@pytest.mark.parametrize(("name", "kind"), [("model.pt", "Unrolled"), ("manet.pt", "MANet")])
def test_the_shipped_weights_load_into_the_network_that_inference_builds(name, kind):
    path = ROOT / "models" / name
    parser = parsed("inference.yaml")
    parser["checkpoint"] = str(path)
    network = parser.get_parsed_content("network_def")
    network.load_state_dict(torch.load(path, weights_only=True))
    provenance = json.loads(path.with_suffix(".json").read_text())
    assert type(network).__name__ == kind and provenance["network"]["class"] == f"bundle.networks.{kind}"
    assert provenance["sha256"] == hashlib.sha256(path.read_bytes()).hexdigest()
