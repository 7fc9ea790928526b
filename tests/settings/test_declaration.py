"""What is declared is what the configs have, and the README shows it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import yaml

from bundle.settings import MAY_CHANGE, Settings, check_values
from bundle.settings.table import main, markdown
from tests.bundle_runs import ROOT

CONFIGS = [*sorted((ROOT / "configs").glob("*.yaml")), *sorted((ROOT / "configs" / "experiments").glob("*.yaml"))]


def is_value(value: Any) -> bool:
    """No component, and no list of them."""
    parts = value if isinstance(value, list) else [value]
    return not any(isinstance(part, Mapping) or str(part).startswith("@") for part in parts)


def values() -> list[tuple[str, str, Any]]:
    """File, id and value of what stands at the top of the shipped configs, but for MONAI's own and components."""
    return [
        (path.name, name, value)
        for path in CONFIGS
        for name, value in yaml.safe_load(path.read_text()).items()
        if is_value(value) and "::" not in name and name not in ("imports", "run", "save_execute_config")
    ]


def test_every_setting_of_the_configs_is_declared_and_every_declared_one_stands_in_a_config():
    of_components = {"weights", "datalist", "reconstructions"}  # null, or an expression, in their place
    assert {name for _, name, _ in values()} - of_components == set(Settings.model_fields)


def test_the_declared_defaults_are_those_of_the_configs():
    first: dict[str, Any] = {}
    for file in (
        "train",
        "experiments/unrolled",
        "evaluate",
        "inference",
        "inference_kspace",
        "fastmri",
        "cross_validation",
        "multi_gpu",
        "experiments/dudornet",
        "experiments/unrolled_multicoil",
    ):
        content = yaml.safe_load((ROOT / "configs" / f"{file}.yaml").read_text())
        first = content | first  # train.yaml's, where several have it
    assert {name: field.default for name, field in Settings.model_fields.items()} == {
        name: first[name] for name in Settings.model_fields
    }


def test_the_values_of_all_shipped_configs_are_allowed():
    for _, name, value in values():
        check_values({name: value})


def test_what_a_resumed_training_may_change_is_declared():
    assert MAY_CHANGE <= set(Settings.model_fields)


def test_the_readmes_table_is_the_declaration(capsys):
    assert markdown() in (ROOT / "README.md").read_text(encoding="utf-8"), "python -m bundle settings prints it"
    assert main([]) == 0 and capsys.readouterr().out.strip() == markdown()
