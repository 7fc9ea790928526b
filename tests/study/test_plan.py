"""A study file becomes the runs that it asks for, or one sentence on what is wrong with it."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import yaml
from monai.bundle import ConfigParser

from bundle.data.datalist import write_datalist
from bundle.errors import BundleError
from bundle.study.names import AS_TRAINED
from bundle.study.plan import SECTIONS, Study
from bundle.study.study_file import read_study
from tests.bundle_runs import ROOT

STUDIES = {path.stem: path for path in sorted((ROOT / "configs" / "studies").glob("*.yaml"))}
CONTENT = """
title: A study
reference: manet
seeds: [3, 4]
settings: {epochs: 2, channels: 4}
datasets: {heads: {label: heads, demo: true, folds: 2, settings: {epochs: 5}}}
scans: {random_6x: {label: R6, pattern: random, acceleration: 6}, radial_9x: {pattern: radial}}
methods:
  zero_filled: {label: ZF, overlays: [zero_filled]}
  xiang: {label: Xiang, overlays: [xiang], settings: {channels: 8}, scans: [random_6x]}
  manet: {label: MANet}
sweeps: {alpha: {label: α, method: manet, setting: alpha, values: [0.2, 0.4], seeds: [3]}}
conditions: {t1_zeroed: {label: T1 zeroed, methods: [manet], settings: {visible: [t2]}}}
"""
ALPHA = {"method": "manet", "setting": "alpha"}
ACCELERATION = {"method": "manet", "setting": "acceleration", "values": [6, 9]}
UNFOLDED = {"datasets": {"heads": {"demo": True}}}
VALUE = "sweeps.alpha.values.0 should be a number, "


def study_of(folder: Path, **changes) -> Study:
    path = folder / "study.yaml"
    path.write_text(yaml.safe_dump(yaml.safe_load(CONTENT) | changes, sort_keys=False), encoding="utf-8")
    return read_study(path)


def shipped(name: str) -> Study:
    """A study of configs/studies, its data somewhere."""
    datasets = yaml.safe_load(STUDIES[name].read_text())["datasets"]
    return read_study(STUDIES[name], {key: "/data" for key, entry in datasets.items() if not entry.get("demo")})


def test_every_method_runs_for_each_dataset_fold_scan_and_seed_that_it_is_not_limited_from(tmp_path):
    runs = study_of(tmp_path).runs()
    count = {name: sum(run.method == name for run in runs) for name in {run.method for run in runs}}
    # 2 folds x 2 scans x 2 seeds; what has no weights needs one seed; xiang has one scan; the sweep's point one seed
    assert count == {"manet": 8, "zero_filled": 4, "xiang": 4, "manet_alpha_0.2": 4}
    assert len({run.folder for run in runs}) == len(runs)
    conditions = {run.method: study_of(tmp_path).conditions_of(run) for run in runs}
    assert conditions["manet"] == {AS_TRAINED: {}, "t1_zeroed": {"visible": ["t2"]}}
    assert conditions["xiang"] == {AS_TRAINED: {}}


def test_the_particular_setting_wins_over_the_general_one_and_every_run_is_tested_on_the_same_scan(tmp_path):
    study = study_of(tmp_path)
    settings = study.overrides(next(run for run in study.runs() if run.method == "xiang"))
    assert (settings["epochs"], settings["channels"], settings["acceleration"]) == (5, 8, 6)
    assert (settings["folds"], settings["fold"], settings["seed"]) == (2, 0, 3)
    assert {study.overrides(run)["validate::dataset::seed"] for run in study.runs()} == {3}


def test_a_sweeps_point_at_the_methods_own_value_is_the_method_itself(tmp_path):
    study = study_of(tmp_path)
    assert study.points("alpha") == {0.2: "manet_alpha_0.2", 0.4: "manet"}
    assert study.methods["manet_alpha_0.2"].settings == {"alpha": 0.2}
    # without tables one holds the methods that no sweep added
    assert study.main_methods == study.tables["methods"].methods == ["zero_filled", "xiang", "manet"]
    widths = {"method": "xiang", "setting": "channels", "values": [4, 8]}
    assert repr(study_of(tmp_path, sweeps={"width": widths}).methods["xiang_channels_4"].settings["channels"]) == "4"


R6, R9 = {"label": "R6", "acceleration": 6}, {"label": "R9", "acceleration": 9}


@pytest.mark.parametrize(
    ("changes", "sweep", "trained"),
    [
        ({"settings": {"alpha": 0.1}}, ALPHA | {"values": [0.1, 0.4]}, [0.4]),
        ({"datasets": {"heads": {"demo": True, "settings": {"alpha": 0.2}}}}, ALPHA | {"values": [0.2, 0.4]}, [0.4]),
        ({"scans": {"random_6x": R6, "r9": R9}}, ACCELERATION, [6, 9]),  # no run has either at both scans
        ({"scans": {"random_6x": R9}}, ACCELERATION, [6]),
        ({"scans": {"random_6x": R6, "r9": R9}}, ACCELERATION | {"scans": ["r9"]}, [6]),
        (
            {"scans": {"random_6x": R6, "r9": R9}, "methods": {"manet": {"scans": ["random_6x"]}}},
            ACCELERATION | {"scans": ["r9"]},
            [6, 9],
        ),
        ({"methods": {"manet": {"scans": ["random_6x"]}}}, ALPHA | {"values": [0.4, 0.5]}, [0.5]),
        ({"methods": {"manet": {"seeds": [3]}}}, ALPHA | {"values": [0.4], "seeds": [4]}, [0.4]),
        (
            {"methods": {"manet": {"overlays": ["unrolled"]}}},
            {"method": "manet", "setting": "cascades", "values": [6, 3]},
            [3],
        ),
    ],
)
def test_the_own_value_of_a_swept_method_is_that_of_its_runs(tmp_path, changes, sweep, trained):
    points = study_of(tmp_path, sweeps={"s": sweep}, **changes).points("s")
    assert [value for value, method in points.items() if method != "manet"] == trained


def test_another_protocol_has_other_keys_but_labels_and_further_conditions_leave_them_as_they_are(tmp_path):
    keys = {run.key for run in study_of(tmp_path).runs()}
    for changes in ({"settings": {"epochs": 2, "batch_size": 3}}, UNFOLDED, UNFOLDED | {"weights": "best"}):
        assert keys.isdisjoint(run.key for run in study_of(tmp_path, **changes).runs())
    assert keys == {run.key for run in study_of(tmp_path, title="Another", conditions={}).runs()}
    for subject in ("a", "b"):  # another split
        write_datalist({"test": [{"subject": subject, "t1": "1", "t2": "2"}]}, tmp_path / "datalist.json", True)
        other = {run.key for run in study_of(tmp_path, datasets={"heads": {"dataset_dir": str(tmp_path)}}).runs()}
        assert keys.isdisjoint(other)
        keys |= other


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"reference": "unet"}, "reference names 'unet', which is none of zero_filled, xiang, manet"),
        ({"tabels": {}}, "tabels is not a key; known: title, description, reference"),
        ({"methods": {"manet": {"overlay": "x"}}}, "methods.manet.overlay is not a key; known: label, datasets"),
        ({"weights": "first"}, "weights should be 'last' or 'best', not 'first'"),
        ({"seeds": 3}, "seeds should be a valid list, not 3"),
        ({"datasets": {"heads": {"demo": True, "folds": "3"}}}, "datasets.heads.folds should be a valid integer"),
        ({"scans": {"random_6x": 6}}, "scans.random_6x should be a valid dictionary, not 6"),
        ({"sweeps": {"alpha": {"method": "manet"}}}, "sweeps.alpha.setting is missing"),
        ({"sweeps": {"alpha": {"method": "m", "setting": "alpha", "values": [1]}}}, "sweeps.alpha.method names 'm'"),
        ({"path": "elsewhere"}, "path should be"),
        ({"datasets": {"ixi": {"label": "IXI"}}}, "where the dataset 'ixi' lies; add --data ixi=DIR"),
        ({"methods": {"manet": {"overlays": ["nothing"]}}}, "methods.manet .* overlay .*nothing.yaml, which does not"),
        ({"methods": {"manet": {"label": "A"}, "other": {"label": "A"}}}, "several methods are labelled 'A'"),
        (
            {"scans": {"random_6x": {"label": "random"}, "r8": {"label": "random", "acceleration": 8}}},
            "several scans are labelled 'random'; give each its own label",
        ),
        (
            {"scans": {"random_6x": {"acceleration": 20, "center_fraction": 0.2}}},
            "scans.random_6x of methods.zero_filled: .*center_fraction",
        ),
        ({"conditions": {"a": {"label": "N"}, "b": {"label": "N"}}}, "several conditions are labelled 'N'"),
        ({"conditions": {"as_trained": {}}}, "conditions has an entry 'as_trained', as every study has of its own"),
        ({"tables": {"costs": {"title": "Costs"}}}, "tables has an entry 'costs', as every study has of its own"),
        (
            {"methods": {"manet": {}, "manet_alpha_0.1": {}}, "sweeps": {"a": ALPHA | {"values": [0.1]}}},
            "sweeps.a trains manet_alpha_0.1, as a method is called",
        ),
        ({"sweeps": {"a": ALPHA | {"values": [0.1, 0.1000000001]}}}, "several values of sweeps.a are labelled '0.1'"),
        ({"weights": "best"}, "datasets.heads has folds, which leave no subject to choose by; give weights: last"),
        ({"conditions": {"x": {"methods": ["nobody"]}}}, "conditions.x.methods names 'nobody'"),
        ({"methods": {"manet": {"scans": ["random"]}}}, "methods.manet.scans names 'random', .* random_6x, radial_9x"),
        ({"seeds": []}, "seeds should name at least one seed, not "),
        ({"seeds": [0, 0]}, r"seeds should name each seed once, not \[0, 0\]"),
        ({"seeds": [-1]}, "seeds.0 should be greater than or equal to 0, not -1"),
        ({"methods": {"manet": {"seeds": [3, 3]}}}, "methods.manet.seeds should name each seed once"),
        ({"scans": {}}, "scans is empty; give it at least one entry"),
        ({"methods": {"manet": {"scans": []}}, "sweeps": {}}, "nothing to run"),
        ({"sweeps": {"alpha": {"method": "manet", "setting": "alpha", "values": ["a"]}}}, VALUE + "not 'a'"),
        ({"sweeps": {"alpha": {"method": "manet", "setting": "alpha", "values": [True]}}}, VALUE + "not True"),
        ({"settings": {"validate::profile": "foo"}}, "settings: Unknown metric profile 'foo': choose one of fastmri_"),
        ({"settings": {"device": "cpu"}}, "settings: device is no setting here: the study sets it, by --devices"),
        (
            {"datasets": {"h": {"demo": True, "settings": {"cache_dir": "x"}}}},
            "datasets.h.settings: cache_dir is no se",
        ),
        ({"scans": {"random_6x": {"seed": 1}}}, "scans.random_6x: seed is no setting here: the study sets it, by its"),
        ({"methods": {"manet": {"settings": {"checkpoint": "x"}}}}, "methods.manet.settings: checkpoint is no setting"),
        ({"sweeps": {"s": {"method": "manet", "setting": "seed", "values": [1]}}}, "sweeps.s: seed is no setting here"),
        ({"conditions": {"x": {"settings": {"dataset_dir": "x"}}}}, "conditions.x.settings: dataset_dir is no setting"),
        ({"settings": {"validate::dataset::seed": 1}}, "settings: validate::dataset::seed is no setting here"),
        ({"settings": {"channels": -3}}, "settings: channels is a whole number from 1 on, not -3"),
        ({"settings": {"aceleration": 2}}, "settings: .*no setting 'aceleration', .* did you mean acceleration?"),
        (
            {"scans": {"random_6x": {"aceleration": 2}}},
            "scans.random_6x: .*no setting 'aceleration', .* did you mean acceleration?",
        ),
        (
            {"scans": {"random_6x": {"pattern": "zigzag"}}},
            "scans.random_6x: pattern is random, uniform, .*, not 'zigzag'",
        ),
        (
            {"datasets": {"h": {"demo": True, "settings": {"epochs": 0}}}},
            "datasets.h.settings: epochs is a whole number",
        ),
        ({"methods": {"manet": {"settings": {"alpha": 2}}}}, "methods.manet.settings: alpha is a number from 0 to 1"),
        ({"methods": {"manet": {"settings": {"recurrences": 2}}}}, "recurrences has no effect .* dudornet.yaml"),
        (
            {"sweeps": {"a": {"method": "manet", "setting": "alpha", "values": [2]}}},
            "sweeps.a: alpha is a number from 0",
        ),
        ({"sweeps": {"a": {"method": "manet", "setting": "alfa", "values": [1]}}}, "no setting 'alfa', .* mean alpha?"),
        ({"conditions": {"x": {"settings": {"nose_level": 0}}}}, "conditions.x.settings: .* did you mean noise_level?"),
        ({"settings": {"validate::profil": "slice"}}, "'validate::profil', .* did you mean validate::profile?"),
        (
            {"settings": {"validat::profile": "slice"}},
            "settings: There is nothing that 'validat::profile' could stand in",
        ),
        (
            {
                "conditions": {
                    "x": {"settings": {"guide": {"_target_": "bundle.acquisition.OtherSubjectGuide", "b": 1}}}
                }
            },
            "'guide::b': bundle.acquisition.OtherSubjectGuide takes no b; it takes donors",
        ),
    ],
)
def test_a_mistake_in_a_study_is_one_sentence_with_its_place(tmp_path, changes, sentence):
    with pytest.raises(BundleError, match=sentence) as error:
        study_of(tmp_path, **changes)
    assert str(error.value).startswith(str(tmp_path / "study.yaml")) and "\n" not in str(error.value)


def test_a_condition_may_test_on_another_draw_of_the_scan(tmp_path):
    conditions = {"redrawn": {"settings": {"validate::dataset::seed": 7}}}
    study = study_of(tmp_path, conditions=conditions)
    assert study.conditions_of(study.runs()[0])["redrawn"] == {"validate::dataset::seed": 7}


@pytest.mark.parametrize("section", SECTIONS)
@pytest.mark.parametrize("name", ["../../esc", "a/b", "..", ".hidden", "a b", ""])
def test_a_name_that_would_lead_out_of_the_studys_folder_is_refused(section, name, tmp_path):
    with pytest.raises(BundleError, match=f"study.yaml: {section} has an entry '{re.escape(name)}'; a name"):
        study_of(tmp_path, **{section: {name: {}}})


@pytest.mark.parametrize("double", ["seeds: [5]", "methods: {manet: {}, xiang: {}, manet: {label: B}}"])
def test_a_key_that_stands_twice_is_refused_with_its_lines(double, tmp_path):
    path = tmp_path / "study.yaml"
    path.write_text(CONTENT + double)
    with pytest.raises(
        BundleError, match=r"study.yaml .*: the key '\w+' stands twice, in line \d+ and in line 14"
    ) as e:
        read_study(path)
    assert "\n" not in str(e.value)


def test_a_key_that_a_merge_brings_may_be_given_anew(tmp_path):
    first, second = "  xiang: &x {label: Xiang", "  other: {<<: *x, label: Other}\n"
    text = CONTENT.replace("  xiang: {label: Xiang", first).replace("  manet:", second + "  manet:")
    (tmp_path / "study.yaml").write_text(text, encoding="utf-8")
    other = read_study(tmp_path / "study.yaml").methods["other"]
    assert (other.label, other.overlays, other.settings) == ("Other", ["xiang"], {"channels": 8})


@pytest.mark.parametrize("text", ["[", "- a list", "title: alone", ""])
def test_a_file_that_is_no_study_is_refused(tmp_path, text):
    (tmp_path / "x.yaml").write_text(text)
    with pytest.raises(BundleError, match="x.yaml"):
        read_study(tmp_path / "x.yaml")


@pytest.mark.parametrize("name", STUDIES)
def test_the_shipped_studies_ask_for_what_there_is_and_begin_with_command_and_cost(name):
    study = shipped(name)
    for run in {run.method: run for run in study.runs()}.values():
        files = [ROOT / "configs/train.yaml", ROOT / "configs/evaluate.yaml", *study.config_files(run)]
        known = ConfigParser()
        known.read_config([str(path) for path in files])
        asked = {**study.overrides(run)} | {k: v for c in study.conditions_of(run).values() for k, v in c.items()}
        assert {key for key in asked if key not in known} == set()
    header = STUDIES[name].read_text().split("\n\n")[0]
    assert header.startswith("# Study: ") and "python -m bundle study" in header and "# Cost: " in header


def test_a_shipped_study_is_found_from_any_folder_by_its_name_in_the_bundle(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    study = read_study("configs/studies/smoke.yaml")
    assert study.path == STUDIES["smoke"]
    assert {dataset.folder for dataset in study.datasets.values()} == {str(ROOT / "demo_data")}


def test_the_papers_table_and_ablation_are_covered():
    asked = {(scan.settings["pattern"], scan.settings["acceleration"]) for scan in shipped("table1").scans.values()}
    assert asked == {(pattern, r) for pattern in ("uniform", "random", "radial", "spiral") for r in (3, 6, 9)}
    asked = {tuple(scan.settings.values()) for scan in shipped("table2").scans.values()}
    assert asked == {(f"fastmri_{pattern}", *r) for pattern in ("random", "equispaced") for r in ((4, 0.08), (8, 0.04))}
    for study in map(shipped, ("ablation", "table2")):
        points = {name: study.points(name) for name in ("alpha", "beta")}
        assert {tuple(values) for values in points.values()} == {(0.0, 0.2, 0.4, 0.6, 0.8, 1.0)}
        assert (points["alpha"][0.4], points["beta"][0.6]) == ("manet", "manet")
    runs = shipped("ablation").runs()
    scans = {
        name: {run.scan for run in runs if run.method == name} for name in ("without_attention", "manet", "unrolled")
    }
    assert [len(scans[name]) for name in scans] == [12, 12, 4]
