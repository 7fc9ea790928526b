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
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import yaml

from ..errors import BundleError
from .plan import CONFIGS, Condition, Dataset, Method, Scan, Study, Sweep, Table, overlay_file

__all__ = ["read_study"]

SECTIONS = "title description settings weights seeds reference datasets scans methods sweeps conditions tables".split()
REQUIRED = ("title", "reference", "datasets", "scans", "methods")


def read_study(path: str | Path, dataset_dirs: Mapping[str, str] | None = None) -> Study:
    """Read and check a study file.

    Args:
        path: a YAML file as the module describes it.
        dataset_dirs: dataset -> folder, instead of what the file names.

    Raises:
        BundleError: the file cannot be read, or a section names what there is not.
    """
    content = _read_yaml(Path(path))
    try:
        study = _build(Path(path), content, dataset_dirs or {})
    except (TypeError, AttributeError, KeyError) as error:
        raise BundleError(f"The study {path} is not built as bundle/study/study_file.py tells: {error}.") from error
    _check(study)
    return study


def _read_yaml(path: Path) -> Mapping[str, Any]:
    try:
        content = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise BundleError(f"The study {path} cannot be read as YAML: {error}.") from error
    if not isinstance(content, Mapping) or not set(REQUIRED) <= set(content):
        raise BundleError(f"The study {path} needs the sections {', '.join(REQUIRED)}.")
    if unknown := set(content) - set(SECTIONS):
        raise BundleError(
            f"The study {path} has the unknown section {sorted(unknown)[0]!r}; known: {', '.join(SECTIONS)}."
        )
    return content


def _build(path: Path, content: Mapping[str, Any], dataset_dirs: Mapping[str, str]) -> Study:
    datasets = _entries(Dataset, content["datasets"])
    if unknown := set(dataset_dirs) - set(datasets):
        raise BundleError(f"The study {path} has no dataset {sorted(unknown)[0]!r}, only {', '.join(datasets)}.")
    datasets = {
        name: replace(dataset, dataset_dir=str(Path(folder).expanduser().resolve()))
        if (folder := dataset_dirs.get(name, dataset.dataset_dir))
        else dataset
        for name, dataset in datasets.items()
    }
    # whatever is not the label of a scan is a setting of it
    scans = {
        name: Scan(name, str(entry.get("label", name)), {k: v for k, v in entry.items() if k != "label"})
        for name, entry in content["scans"].items()
    }
    methods = _entries(Method, content["methods"])
    sweeps = {}
    for name, entry in (content.get("sweeps") or {}).items():
        sweeps[name], trained = _sweep(name, dict(entry), methods)
        methods |= trained
    main = {name: method for name, method in methods.items() if name in content["methods"]}
    tables = _entries(Table, content.get("tables") or {"methods": {"title": content["title"], "methods": [*main]}})
    return Study(
        path=path,
        title=str(content["title"]),
        description=str(content.get("description", "")).strip(),
        datasets=datasets,
        scans=scans,
        methods=methods,
        reference=content["reference"],
        settings=dict(content.get("settings") or {}),
        weights=content.get("weights", "last"),
        seeds=tuple(content.get("seeds", (0,))),
        conditions=_entries(Condition, content.get("conditions") or {}),
        sweeps=sweeps,
        tables=tables,
    )


def _entries(kind: type, section: Mapping[str, Mapping]) -> dict[str, Any]:
    """A section's entries, with lists as tuples and the name as label where there is none."""
    entries = {}
    for name, entry in section.items():
        values = {key: tuple(value) if isinstance(value, list) else value for key, value in entry.items()}
        values.setdefault("title" if kind is Table else "label", name)
        entries[name] = kind(name=name, **values)
    return entries


def _sweep(name: str, entry: dict[str, Any], methods: Mapping[str, Method]) -> tuple[Sweep, dict[str, Method]]:
    """A sweep and the methods that it adds: one a value, but for the value that the swept method has anyway."""
    label, setting, values = entry.pop("label", name), entry.pop("setting"), entry.pop("values")
    method = methods[entry.pop("method")]
    limits = {key: tuple(value) for key, value in entry.items()}
    own = {**_defaults(), **method.settings}.get(setting)
    points, trained = {}, {}
    for value in values:
        if value == own:
            points[value] = method.name
            continue
        points[value] = f"{method.name}_{setting}_{value:g}"
        trained[points[value]] = replace(
            method,
            name=points[value],
            label=f"{method.label}, {label} = {value:g}",
            settings={**method.settings, setting: value},
            **limits,
        )
    return Sweep(name, label, method.name, points), trained


def _check(study: Study) -> None:
    """Every name that a section refers to exists, and every overlay file."""
    if study.weights not in ("last", "best"):
        raise BundleError(f"{study.path}: weights is 'last' or 'best', not {study.weights!r}.")
    labels = [method.label for method in study.methods.values()]
    if twice := {label for label in labels if labels.count(label) > 1}:
        raise BundleError(f"{study.path}: several methods are labelled {sorted(twice)[0]!r}; give each its own label.")
    for dataset in study.datasets.values():
        if dataset.dataset_dir is None and not dataset.demo:
            raise BundleError(
                f"{study.path} does not say where the dataset {dataset.name!r} lies; add "
                f"--data {dataset.name}=DIR, a folder with datalist.json."
            )
    references = [("reference", [study.reference], study.methods)]
    for method in study.methods.values():
        references += [
            (f"methods, {method.name}", method.datasets or (), study.datasets),
            (f"methods, {method.name}", method.scans or (), study.scans),
            (f"methods, {method.name}", method.seeds or (), study.seeds),
        ]
        for overlay in method.overlays:
            if not overlay_file(overlay).is_file():
                raise BundleError(
                    f"{study.path}: the method {method.name!r} asks for the overlay "
                    f"{overlay_file(overlay)}, which does not exist."
                )
    references += [(f"conditions, {c.name}", c.methods or (), study.methods) for c in study.conditions.values()]
    references += [(f"tables, {t.name}", t.methods, study.methods) for t in study.tables.values()]
    for where, names, known in references:
        if missing := [name for name in names if name not in known]:
            raise BundleError(
                f"{study.path}: {where} names {missing[0]!r}, which is none of {', '.join(map(str, known))}."
            )
    if not study.runs():
        raise BundleError(f"{study.path}: there is nothing to run; give it methods, datasets, scans and seeds.")


def _defaults() -> Mapping[str, Any]:
    return yaml.safe_load((CONFIGS / "train.yaml").read_text(encoding="utf-8"))
