"""``--tracking`` that cannot work is told in one sentence, before anything is read or written."""

from __future__ import annotations

import pytest
from monai.bundle import ConfigParser

from bundle.errors import BundleError
from bundle.settings import tracking
from bundle.settings.tracking import check_tracking
from tests.bundle_runs import CONFIGS, run, sentence_of


def refusal(run_id: str, folder, **overrides) -> str:
    with pytest.raises((BundleError, RuntimeError)) as error:
        run(run_id, tracking="mlflow", dataset_dir=str(folder), output_dir=str(folder / "out"), **overrides)
    assert not (folder / "out").exists()
    return sentence_of(error.value)


@pytest.mark.parametrize("run_id", CONFIGS)
def test_without_mlflow_a_run_says_what_to_install(run_id, monkeypatch, tmp_path):
    monkeypatch.setattr(tracking, "find_spec", lambda name: None)
    said = "mlflow, of which mlflow and sqlalchemy cannot be found: pip install '.[tracking]', or leave out --tracking."
    assert refusal(run_id, tmp_path) == f"Tracking needs {said}"


def test_the_small_mlflow_is_told_by_what_it_lacks(monkeypatch, tmp_path):
    monkeypatch.setattr(tracking, "find_spec", lambda name: None if name == "sqlalchemy" else object())
    assert "of which sqlalchemy cannot be found" in refusal("training", tmp_path)


@pytest.mark.parametrize("by", ["setting", "environment"])
def test_a_folder_is_no_store(by, monkeypatch, tmp_path):
    monkeypatch.setattr(tracking, "find_spec", lambda name: object())
    overrides = {"tracking_uri": "mlruns"} if by == "setting" else {}
    if by == "environment":
        monkeypatch.setenv("MLFLOW_TRACKING_URI", "mlruns")
    assert "not in a folder: instead of mlruns give tracking_uri" in refusal("training", tmp_path, **overrides)


@pytest.mark.parametrize("name", ["run#7", "why?", "6%"])
def test_a_name_that_mlflow_would_misread_is_refused(name, monkeypatch, tmp_path):
    monkeypatch.setattr(tracking, "find_spec", lambda name: object())
    assert f"MLflow can keep no database in {tmp_path}/{name}/out, because of the" in refusal(
        "inference", tmp_path / name
    )


@pytest.mark.parametrize("name", ["tracking_uri", "experiment_name", "run_name"])
def test_an_option_of_tracking_without_it_is_refused(name, tmp_path):
    with pytest.raises(RuntimeError) as error:
        run("training", dataset_dir=str(tmp_path), output_dir=str(tmp_path / "out"), **{name: "mine"})
    assert sentence_of(error.value) == f"{name} has no effect without --tracking mlflow; add that, or leave {name} out."


def test_an_overlay_may_use_the_names_of_those_options_for_a_tracker_of_its_own():
    parser = ConfigParser({"experiment_name": "mine", "handler": {"_target_": "dict", "name": "@experiment_name"}})
    check_tracking(parser, {"experiment_name"})


def test_a_store_that_cannot_be_opened_is_told(tmp_path):
    pytest.importorskip("mlflow", reason="the extra `tracking` is not installed")
    (tmp_path / "file").write_text("")
    uri = f"sqlite:///{tmp_path}/file/runs.db"
    assert f"MLflow at {uri} cannot be used: " in refusal("training", tmp_path, tracking_uri=uri)
