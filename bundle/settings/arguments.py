"""The arguments of a config's components, checked against what the components take."""

from __future__ import annotations

import inspect
import re
from collections.abc import Iterator, Mapping
from functools import cache
from pydoc import ErrorDuringImport, locate
from typing import Any

from monai.bundle.config_item import ComponentLocator, ConfigComponent

from ..errors import BundleError
from .shipped import closest
from .words import number_in

__all__ = ["check_arguments", "check_components"]

_NUMBER_AS_TEXT = re.compile(r"[+-]?\d+(\.\d*)?[eE][+-]?\d+")  # YAML wants 1.0e-3 where one writes 1e-3


def check_components(config: Any, locator: ComponentLocator, place: str = "") -> None:
    """Check all components of a config, also those in others.

    Args:
        config: unresolved.
        locator: finds MONAI's components by their short names.
        place: id of ``config`` in the whole one.

    Raises:
        BundleError: the first component that does not exist, or does not take what it is given.
    """
    if isinstance(config, Mapping) and "_target_" in config:
        check_arguments(config, locator, place)
    for key, part in _parts(config):
        check_components(part, locator, f"{place}::{key}" if place else str(key))


def check_arguments(component: Mapping[str, Any], locator: ComponentLocator, place: str) -> None:
    """Check one component, not those in it; BundleError as :func:`check_components`.

    One that cannot be imported may never be built, and is left to MONAI, unless it should be of this bundle.
    """
    target = component["_target_"]
    if not isinstance(target, str) or target.startswith(("$", "@", "%")):
        return
    try:
        taken = _parameters(target, locator)
    except (ErrorDuringImport, ValueError):  # an import that fails, in MONAI's words; a function in C, which tells none
        return
    if taken is None:
        if target.startswith("bundle."):
            raise BundleError(f"{place} asks for {target}, which does not exist.")
        return
    _check_values(component, taken, place)
    if any(parameter.kind is parameter.VAR_KEYWORD for parameter in taken.values()):
        return
    for key in component.keys() - ConfigComponent.non_arg_keys - taken.keys():
        nearest = closest(key, taken)
        hint = f"did you mean {nearest}?" if nearest else f"it takes {', '.join(taken) or 'nothing'}."
        raise BundleError(f"There is no setting '{place}::{key}': {target} takes no {key}; {hint}")


def _check_values(component: Mapping[str, Any], taken: Mapping[str, inspect.Parameter], place: str) -> None:
    """Refuse numbers that YAML takes for text, and a component without an argument that it must have."""
    for key, value in component.items():
        if isinstance(value, str) and _NUMBER_AS_TEXT.fullmatch(value):
            raise BundleError(f"{place}::{key} is text here, {value!r}; write {number_in(value)!r}.")
    if "_mode_" in component:  # no call, or one with further arguments
        return
    for key, parameter in taken.items():
        named = parameter.kind not in (parameter.VAR_POSITIONAL, parameter.VAR_KEYWORD)
        if named and parameter.default is parameter.empty and key not in component:
            raise BundleError(f"{place} lacks {key}, which {component['_target_']} must be given.")


def _parts(config: Any) -> Iterator[tuple[Any, Any]]:
    if isinstance(config, Mapping):
        yield from config.items()
    elif isinstance(config, (list, tuple)):
        yield from enumerate(config)


def _parameters(target: str, locator: ComponentLocator) -> Mapping[str, inspect.Parameter] | None:
    """What a class or function takes, by name; None where there is no such."""
    module = locator.get_component_module_name(target)
    module = module[0] if isinstance(module, list) else module
    return _parameters_of(f"{module}.{target}" if module else target)


@cache
def _parameters_of(path: str) -> Mapping[str, inspect.Parameter] | None:
    found: Any = locate(path)
    return inspect.signature(found).parameters if callable(found) else None
