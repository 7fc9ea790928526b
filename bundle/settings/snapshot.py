"""What a training was told to do, kept with its checkpoint, so that it goes on as it began or not at all."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from .declaration import MAY_CHANGE, Settings
from .merged import MONAIS, config_in_use
from .shipped import RUNS
from .words import plain

__all__ = ["difference", "snapshot", "training_settings"]

# the sections that decide what is learnt; those that report it, save it or place it on a device may change
_DECIDING = """network_def datalist preprocessing acquisition
train::volumes train::dataset train::sampler train::dataloader train::loss train::optimizer train::lr_scheduler
train::trainer::epoch_length
validate::volumes validate::dataset validate::postprocessing validate::profile validate::key_metric""".split()
_UNSET = "nothing"


def training_settings() -> dict[str, Any]:
    """Those of the config that is being run, as :func:`snapshot` gives them; a component of a config."""
    return snapshot(config_in_use()[0].config)  # type: ignore[arg-type]  # MONAI's annotation is that of an item


def snapshot(config: Mapping[str, Any]) -> dict[str, Any]:
    """Id -> plain value of all that decides how a training goes; expressions and references as they are written."""
    found: dict[str, Any] = {}
    for name, value in config.items():
        if name not in MAY_CHANGE | MONAIS | RUNS.keys() and not isinstance(value, Mapping):
            found.update(_leaves(value, name))
    for name in _DECIDING:
        section: Any = config
        for key in name.split("::"):
            section = section.get(key, {}) if isinstance(section, Mapping) else {}
        if section is not None:
            found.update(_leaves(section, name))
    return found


def difference(before: Mapping[str, Any], now: Mapping[str, Any]) -> tuple[str, Any, Any] | None:
    """The first id whose value differs, and both values; a setting that one of the two lacks has its default there."""
    # settings first, then what a component is, then what it is given
    for name in sorted(before.keys() | now.keys(), key=lambda name: ("::" in name, "_target_" not in name, name)):
        field = Settings.model_fields.get(name)
        default = _UNSET if field is None else field.default
        old, new = (plain(settings.get(name, default)) for settings in (before, now))
        if old != new:
            return name, old, new
    return None


def _leaves(value: Any, name: str) -> Iterator[tuple[str, Any]]:
    if name.rpartition("::")[2] in MAY_CHANGE:
        return
    if isinstance(value, Mapping):
        for key, part in value.items():
            yield from _leaves(part, f"{name}::{key}")
    elif isinstance(value, (list, tuple)) and any(isinstance(part, (Mapping, list, tuple)) for part in value):
        for index, part in enumerate(value):
            yield from _leaves(part, f"{name}::{index}")
    else:
        value = list(value) if isinstance(value, tuple) else plain(value)
        yield name, value if isinstance(value, (bool, int, float, str, list, type(None))) else str(value)
