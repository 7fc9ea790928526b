"""A run refuses what its merged config does not know, before anything is read."""

from __future__ import annotations

import pytest
from monai.bundle import ComponentLocator, ConfigParser

from bundle.errors import BundleError
from bundle.settings.merged import check_config, check_settings
from tests.bundle_runs import CONFIGS, ROOT, run, sentence_of

LOCATOR = ComponentLocator()


def checked(run_id: str, *overlays: str, **overrides) -> None:
    """Check a merged config as a run does, without running it."""
    parser = ConfigParser()
    parser.read_config([str(ROOT / name) for name in (*CONFIGS[run_id], *overlays)])
    parser.update(overrides)
    parser.parse()
    check_config(parser.config, f"{run_id}::1", LOCATOR)


@pytest.mark.parametrize("run_id", CONFIGS)
def test_the_shipped_configs_pass(run_id):
    checked(run_id)


@pytest.mark.parametrize("overlay", sorted(path.stem for path in (ROOT / "configs").glob("experiments/*.yaml")))
def test_the_shipped_overlays_pass(overlay):
    under = ["unrolled"] if overlay.startswith("unrolled_") else []  # theirs change it
    checked("evaluating", *(f"configs/experiments/{name}.yaml" for name in (*under, overlay)))


def test_the_unrolled_networks_overlay_passes_before_evaluate_yaml_as_the_release_has_it():
    checked("training", "configs/experiments/unrolled.yaml", "configs/evaluate.yaml")


def test_every_run_list_begins_alike():
    """Errors in a sentence, a tidy end when told to end, settings checked; an overlay's own list, too."""
    contents = map(ConfigParser.load_config_file, (ROOT / "configs").glob("*.yaml"))
    lists = [content[name] for content in contents for name in content.keys() & CONFIGS.keys()]
    begins = ["errors.report_errors_plainly", "outputs.begin_run", "settings.merged.check_settings"]
    assert len(lists) == 5  # of four runs, and of several GPUs
    for steps in lists:
        assert [step["_target_"] for step in steps[:3]] == [f"bundle.{name}" for name in begins]


@pytest.mark.parametrize("overlay", ["fastmri", "m4raw"])
@pytest.mark.parametrize("run_id", ["training", "evaluating"])
def test_the_overlays_of_raw_data_sets_pass(run_id, overlay):
    checked(run_id, f"configs/{overlay}.yaml")


@pytest.mark.parametrize("overlay", ["multi_gpu", "cross_validation", "experiments/dudornet"])
def test_the_overlays_of_trainings_pass(overlay):
    checked("training", f"configs/{overlay}.yaml")


@pytest.mark.parametrize(
    ("run_id", "name", "said"),
    [
        ("inference", "aceleration", "no setting 'aceleration', and nothing refers to it; did you mean acceleration?"),
        ("inference", "Acceleration", "did you mean acceleration?"),
        ("training", "epoch", "did you mean epochs?"),
        ("evaluating", "chekpoint", "did you mean checkpoint?"),
        ("training", "zzz", "and nothing refers to it; README.md lists what there is."),
        ("training", "validate::profil", "did you mean validate::profile?"),
        ("training", "train::learning_rate", "did you mean learning_rate?"),
        ("training", "train::trainer::max_epoch", "SupervisedTrainer takes no max_epoch; did you mean max_epochs?"),
        ("training", "train::optimizer::betaz", "torch.optim.Adam takes no betaz; did you mean betas?"),
        ("inference", "preparation::transforms::0::keyz", "ReadVolumed takes no keyz; did you mean keys?"),
        # what another run knows has no effect on this one, and is no less misleading
        ("training", "split", "split has no effect on this run: it belongs to evaluate.yaml and inference.yaml,"),
        ("training", "recurrences", "has no effect on this run: it belongs to dudornet.yaml, .* add the overlay"),
        ("inference", "epochs", "epochs has no effect on this run: it belongs to train.yaml,"),
        ("evaluating", "t1", "t1 has no effect on this run: it belongs to inference.yaml and inference_kspace.yaml,"),
        ("inference", "kspace", "kspace has no effect on this run: it belongs to inference_kspace.yaml,"),
    ],
)
def test_an_id_that_nothing_knows_is_refused_with_the_nearest_one(run_id, name, said):
    with pytest.raises(BundleError, match=said):
        checked(run_id, **{name: 3})


def test_an_overlay_may_add_ids_that_it_uses():
    checked("training", **{"my_alpha": 0.3, "train::loss::alpha": "@my_alpha"})
    checked("training", **{"half": 0.3, "train::loss::alpha": "$@half * 2"})
    checked("training", **{"my_loss": {"_target_": "bundle.training.ImageLoss"}, "train::loss": "%my_loss"})


@pytest.mark.parametrize(
    ("run_id", "name", "value", "said"),
    [
        ("inference", "weights", 3, "weights is a component, as the config files have it, not 3"),
        ("evaluating", "network_def", None, "network_def is a component, as the config files have it, not None"),
        ("training", "train::optimizer", "sgd", "train::optimizer is a component, .*, not 'sgd'"),
        ("training", "train", 3, "train is a section of components, as the config files have it, not 3"),
        ("evaluating", "validate::handlers", "none", "validate::handlers is a list, .*, not 'none'"),
    ],
)
def test_a_plain_value_in_the_place_of_a_component_is_refused(run_id, name, value, said):
    with pytest.raises(BundleError, match=said):
        checked(run_id, **{name: value})
    checked(run_id, **{name: "$an.expression.of.a.config()"})


def test_a_mapping_that_takes_a_components_place_without_being_one_is_refused():
    said = "network_def replaces the whole component and has no _target_; .* write network_def::channels"
    with pytest.raises(BundleError, match=said):
        checked("training", **{"network_def": {"channels": 8}})


@pytest.mark.parametrize(
    ("name", "value", "said"),
    [
        ("train::optimizer::lr", "1e-3", "train::optimizer::lr is text here, '1e-3'; write 0.001"),
        ("train::lr_scheduler::gamma", "1e-1", "train::lr_scheduler::gamma is text here, '1e-1'; write 0.1"),
        ("acquisition::mask", {"_target_": "bundle.acquisition.make_mask"}, "acquisition::mask lacks pattern, which"),
    ],
)
def test_an_argument_that_is_text_or_missing_is_refused_before_anything_is_built(name, value, said):
    with pytest.raises(BundleError, match=said):
        checked("training", **{name: value})


def test_a_component_of_the_bundle_that_does_not_exist_is_named_with_its_place():
    with pytest.raises(BundleError, match="network_def asks for bundle.networks.MANett, which does not exist"):
        checked("training", **{"network_def::_target_": "bundle.networks.MANett"})
    checked("training", **{"network_def": {"_target_": "a.package.that.is.not.here"}})  # perhaps never built


@pytest.mark.parametrize("run_id", CONFIGS)
@pytest.mark.parametrize(
    ("setting", "said"),
    [({"noise_levle": 0}, "did you mean noise_level?"), ({"device": "gpu"}, "device is cpu, cuda, .*, not 'gpu'")],
)
def test_every_run_checks_its_settings_before_it_reads_anything(run_id, setting, said, tmp_path):
    with pytest.raises(Exception) as raised:
        run(run_id, **setting, dataset_dir=str(tmp_path / "nowhere"), output_dir=str(tmp_path / "out"))
    with pytest.raises(BundleError, match=said):
        raise BundleError(sentence_of(raised.value))
    assert not (tmp_path / "out").exists()


def test_words_of_the_command_line_reach_the_components_as_yaml_means_them():
    config = {
        "guide": "null",
        "amp": "false",
        "seen": {"_target_": "builtins.dict", "guide": "@guide", "amp": "@amp"},
        "training": [{"_target_": "bundle.settings.merged.check_settings"}, "@seen"],
    }
    parser = ConfigParser(config)
    parser.get_parsed_content("training::0")
    assert parser.get_parsed_content("seen") == {"guide": None, "amp": False}


def test_outside_a_run_there_is_nothing_to_check():
    with pytest.raises(BundleError, match="outside one there is none to read"):
        check_settings()
