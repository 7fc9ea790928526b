"""Study files (configs/studies/*.yaml), read and checked.

A study is YAML with these sections; every *settings* is a mapping of config ids to values (``acceleration: 6``,
``validate::profile: foreground``), as on the command line of ``python -m monai.bundle run``::

    title: ...                       # of the report
    description: ...                 # what the study asks, one paragraph
    settings: {...}                  # for every run: budget, widths, matrix
    weights: last                    # or best: those of the last epoch, or the best on the validation list
    seeds: [0, 1]
    reference: manet                 # the method that all others are tested against
    datasets:                        # folders with datalist.json, here or by --data; demo: else made by code
      NAME: {label: ..., dataset_dir: ..., demo: false, folds: 3, settings: {...}}   # folds: cross-validation
      NAME: {label: ..., overlays: [fastmri]}     # a folder that files of configs/, without .yaml, read otherwise
    scans:                           # any other key is a setting
      NAME: {label: ..., pattern: random, acceleration: 6}
    methods:                         # overlays: files of configs/experiments, without .yaml
      NAME: {label: ..., overlays: [...], settings: {...}, datasets: [...], scans: [...], seeds: [...]}
    sweeps:                          # a method trained again for each value of a setting; its own value is the method
      NAME: {label: ..., method: ..., setting: alpha, values: [...], datasets: [...], scans: [...], seeds: [...]}
    conditions:                      # trained networks tested otherwise than they were trained
      NAME: {label: ..., settings: {...}, methods: [...]}
    tables:                          # rows are methods; a table of conditions follows by itself
      NAME: {title: ..., methods: [...]}

NAMEs become those of folders and files: letters, digits, ``_``, ``-`` and ``.``. What the study itself sets, such as
``seed`` and ``device``, is no setting of its file.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, get_args

import yaml
from pydantic import ValidationError

from ..errors import BundleError
from ..paths import expanded, own_path, shipped
from .plan import Study
from .settings import check_settings

__all__ = ["read_study"]

_SHIPPED = "configs/studies"


class _OneOfEachKey(yaml.SafeLoader):
    """YAML in which no mapping has a key twice; PyYAML takes the last without a word."""

    def compose_mapping_node(self, anchor: Any) -> yaml.MappingNode:
        """Looks at the keys as they stand in the file, before any are merged (``<<``)."""
        node = super().compose_mapping_node(anchor)
        lines: dict[tuple[str, str], int] = {}
        for key, _ in node.value:
            name, line = (key.tag, str(key.value)), key.start_mark.line + 1
            if name in lines:
                raise yaml.YAMLError(f"the key {key.value!r} stands twice, in line {lines[name]} and in line {line}")
            lines[name] = line
        return node


def read_study(path: str | Path, dataset_dirs: Mapping[str, str] | None = None) -> Study:
    """Read and check a study file; ``dataset_dirs``, dataset -> folder, are used instead of what it names.

    ``configs/studies/smoke.yaml`` and its like are found from any folder.

    Raises:
        BundleError: the file cannot be read, has an unknown key or a value of another type, a section names what
            there is not, or a setting is unknown or wrong.
    """
    path, dirs = shipped(path), dict(dataset_dirs or {})
    try:
        content = yaml.load(path.read_text(encoding="utf-8"), _OneOfEachKey)
        study = Study.model_validate({"path": path} | content if isinstance(content, dict) else content)
    except FileNotFoundError as error:
        names = ", ".join(sorted(file.name for file in own_path(_SHIPPED).glob("*.yaml")))
        raise BundleError(f"There is no study file {path}; the bundle's own, in {_SHIPPED}, are {names}.") from error
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise BundleError(f"The study {path} cannot be read as YAML: {error}.") from error
    except ValidationError as error:
        raise BundleError(f"{path}: {_sentence(error.errors()[0])}.") from error
    try:
        check_settings(study)
    except BundleError as error:
        raise BundleError(f"{path}: {error}") from error
    if unknown := set(dirs) - set(study.datasets):
        raise BundleError(f"{path}: there is no dataset {min(unknown)!r}, only {', '.join(study.datasets)}.")
    for name, dataset in study.datasets.items():
        if folder := dirs.get(name, dataset.dataset_dir):
            there = expanded(folder).resolve()
            study.datasets[name] = dataset.model_copy(update={"dataset_dir": str(there)})
        elif not dataset.demo:
            what = f"as {', '.join(dataset.overlays)}.yaml reads it" if dataset.overlays else "with datalist.json"
            where = f"add --data {name}=DIR, a folder {what}"
            raise BundleError(f"{path} does not say where the dataset {name!r} lies; {where}.")
    return study


def _sentence(error: Mapping[str, Any]) -> str:
    """What is wrong, and where in the file."""
    place = ".".join(map(str, error["loc"])) or "the file"
    if error["type"] == "missing":
        return f"{place} is missing"
    if error["type"] == "extra_forbidden":
        fields = Study.model_fields
        if len(error["loc"]) > 1:  # of an entry: its section is a dict of them
            fields = get_args(fields[str(error["loc"][0])].annotation)[1].model_fields
        return f"{place} is not a key; known: {', '.join(name for name in fields if name != 'path')}"
    if error["type"] == "value_error":
        cause = error["ctx"]["error"]
        return str(cause) if isinstance(cause, BundleError) else f"{place} {cause}, not {error['input']!r}"
    expected = error["msg"].replace("Input", place, 1).partition(" or instance of ")[0]
    return f"{expected}, not {error['input']!r}"
