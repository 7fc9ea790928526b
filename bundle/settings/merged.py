"""The merged config of a run, checked as its first step: ids that nobody knows, values, arguments of components.

MONAI merges config files and command line without a word on what it does not know, so that ``--aceleration 9`` runs at
6x. Its components are not told of the config either; it is found where MONAI's parser builds :func:`check_settings`.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from monai.bundle import ComponentLocator, ConfigParser
from monai.bundle.reference_resolver import ReferenceResolver
from monai.bundle.utils import DEFAULT_MLFLOW_SETTINGS

from ..errors import BundleError
from ..paths import PATHS, check_typed
from .arguments import check_components
from .checks import check_values
from .declaration import Settings
from .shipped import RUNS, closest, files_with, ids_of, structures_of
from .tracking import check_tracking
from .words import plain

__all__ = ["MONAIS", "check_config", "check_settings", "config_in_use", "later"]

MONAIS = {"_meta_", "imports", "initialize", "run", "finalize"}  # ids that MONAI itself looks for
MONAIS |= dict(DEFAULT_MLFLOW_SETTINGS["configs"]).keys()  # type: ignore[call-overload]

_MAY_BE_NULL = {"weights"}  # of a network without any, such as zero filling


def check_settings() -> None:
    """First step of a run list: check the merged config, and read ``true``, ``false`` and ``null`` as YAML does.

    Raises:
        BundleError: as :func:`check_config` and :func:`check_tracking` do, or where no config is being run.
    """
    parser, run_id = config_in_use()
    for name in PATHS:
        check_typed(name, parser.get_parsed_content)
    check_config(parser.config, run_id, parser.locator)  # type: ignore[arg-type]  # MONAI's annotation is that of an item
    check_tracking(parser, set(_references(parser.config)))  # type: ignore[arg-type]  # as above
    items = parser.ref_resolver.items
    for name in Settings.model_fields.keys() & items.keys():
        items[name].update_config(plain(items[name].get_config()))


def config_in_use() -> tuple[ConfigParser, str]:
    """MONAI's parser that is building the component which calls this, and the id that it was asked for."""
    frame = inspect.currentframe()
    while frame is not None:
        if isinstance(parser := frame.f_locals.get("self"), ConfigParser):
            return parser, str(frame.f_locals.get("id", ""))
        frame = frame.f_back
    raise BundleError("bundle.settings.merged reads the config of a run; outside one there is none to read.")


def later(name: str) -> Callable[[], Any]:
    """What resolves an id of the config when it is called, where ``@name`` would resolve it even if it is not used.

    So weights need not be there before a volume is prepared with them.
    """
    parser, _ = config_in_use()
    return lambda: parser.get_parsed_content(name)


def check_config(config: Mapping[str, Any], run_id: str, locator: ComponentLocator) -> None:
    """Check ids, values and the arguments of components.

    An id is known where the config files of this run have it, or where something refers to it (``@id``); so an overlay
    may add ids of its own that it uses.

    Args:
        config: as MONAI's parser holds it, unresolved, with the files' and the command line's ids.
        run_id: what is run, such as ``training::1``.
        locator: finds MONAI's components by their short names; a parser has one.

    Raises:
        BundleError: an unknown id or argument, with the nearest known one, a wrong value, or a plain value where the
            config files have a component.
    """
    run = next((name for name in RUNS if name in config), None)
    known = {*ids_of(run), *MONAIS, *_references(config), run_id.split("::")[0]}
    for name in _ids(config, run):
        if name not in known and not _is_copied(config, name):
            raise BundleError(_unknown(name, run))
    _check_structures(config, run)
    check_values(config)
    check_components(config, locator)


def _check_structures(config: Mapping[str, Any], run: str | None) -> None:
    """A plain value in the place of a component, a section or a list of components would be a traceback later."""
    for name, shipped in structures_of(run).items():
        section, _, key = name.rpartition("::")
        holder = config.get(section) if section else config
        if not isinstance(holder, Mapping) or key not in holder or (holder[key] is None and name in _MAY_BE_NULL):
            continue
        value, kind = holder[key], list if isinstance(shipped, list) else Mapping
        if not isinstance(value, kind) and not (isinstance(value, str) and value.startswith(("$", "@", "%"))):
            what = "a list" if kind is list else "a component" if "_target_" in shipped else "a section of components"
            raise BundleError(f"{name} is {what}, as the config files have it, not {value!r}.")
        if isinstance(value, Mapping) and "_target_" in shipped and "_target_" not in value:
            raise BundleError(
                f"{name} replaces the whole component and has no _target_; to change one argument, write {name}::"
                f"{next(iter(value), 'ARGUMENT')}."
            )


def _ids(config: Mapping[str, Any], run: str | None) -> Iterator[str]:
    """Those at the top, and in the sections that are no components, ``train`` and ``validate``."""
    for name, value in config.items():
        yield name
        section = isinstance(value, Mapping) and "_target_" not in value
        if section and any(known.startswith(f"{name}::") for known in ids_of(run)):
            yield from (f"{name}::{key}" for key in value)


def _strings(config: Any) -> Iterator[str]:
    parts = config.values() if isinstance(config, Mapping) else config if isinstance(config, (list, tuple)) else ()
    for part in parts:
        if isinstance(part, str):
            yield part
        else:
            yield from _strings(part)


def _references(config: Mapping[str, Any]) -> Iterator[str]:
    """What is referred to, with all that it stands in: of ``@a::b::c`` also ``a::b`` and ``a``."""
    for text in _strings(config):
        for name in ReferenceResolver.match_refs_pattern(text):
            parts = name.split("::")
            yield from ("::".join(parts[: count + 1]) for count in range(len(parts)))


def _is_copied(config: Mapping[str, Any], name: str) -> bool:
    """Whether a macro (``%id``) took a section, which MONAI has replaced by a copy by now."""
    value = config.get(name)
    return isinstance(value, (dict, list)) and any(value == part for part in _parts(config, value))


def _parts(config: Any, but: Any) -> Iterator[Any]:
    for part in config.values() if isinstance(config, Mapping) else config:
        if isinstance(part, (dict, list)) and part is not but:
            yield part
            yield from _parts(part, but)


def _unknown(name: str, run: str | None) -> str:
    if files := files_with(name):
        return (
            f"{name} has no effect on this run: it belongs to {' and '.join(files)}, and nothing here refers to it; "
            "leave it out, or add the overlay that it is meant for."
        )
    section, _, last = name.rpartition("::")
    places = [other.rpartition("::") for other in ids_of(run) or Settings.model_fields]
    nearest = closest(last, [key for place, _, key in places if place == section])
    if section:
        nearest = f"{section}::{nearest}" if nearest else closest(last, Settings.model_fields)
    hint = f"did you mean {nearest}?" if nearest else "README.md lists what there is."
    return f"There is no setting {name!r}, and nothing refers to it; {hint}"
