"""Paths: the bundle's own folder, and those of the command line, text again, with ``#`` and ``~``, or refused.

MONAI's command line reads a value as Python does before anything of this bundle runs: ``20240105`` becomes a number,
``a,b`` a tuple, what follows ``#`` in ``run#7`` a comment; its configs then write ``#`` as ``::``. What was meant is
restored here where that is certain. A name that begins with ``$``, ``@`` or ``%`` is code, a reference or a macro to
MONAI; the macro alone is refused in its own words, as nothing of this bundle runs before. Every name passes with ``./``
before it.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from pathlib import Path

from .errors import BundleError

__all__ = ["PATHS", "check_typed", "data_root", "expanded", "own_path", "own_root", "path_of", "shipped"]

PATHS = (
    "t1",
    "t2",
    "kspace",
    "pairs",
    "dataset_dir",
    "output_dir",
    "cache_dir",
    "checkpoint",
    "start_from",
    "bundle_root",
)  # settings

_OLD, _NEW = "#", "::"  # MONAI's former separator of ids, and the one that it puts in its place in every text
_PACKAGE = Path(__file__).resolve().parent
_INSTALLED = _PACKAGE / "shipped"  # where setup.py puts configs/ and models/ in a wheel, release.build configs/


def own_path(name: str | Path) -> Path:
    """A file or folder of the bundle itself, such as ``configs`` or ``models/model.pt``; it need not be there.

    The repository has both beside the package, a wheel both in it, and the zip of a release its weights beside the
    package, where the Model Zoo has them, and in it the YAML that the JSON files were made of.
    """
    inside = _INSTALLED / name
    return inside if inside.exists() else _PACKAGE.parent / name


def own_root() -> Path:
    """The folder with the ``models/`` that this package goes with: the bundle's own ``bundle_root``."""
    return own_path("models").parent


def data_root() -> Path:
    """Where demo data are made for a study: in the repository, or where the bundle is installed, the working folder."""
    return Path.cwd() if _INSTALLED.is_dir() else _PACKAGE.parent


def shipped(path: str | Path) -> Path:
    """A file as it is named, or where there is none, the bundle's own of that name: ``configs/studies/smoke.yaml``."""
    there = own_path(path)
    return there if there.exists() and not Path(path).exists() else Path(path)


def expanded(path: str | os.PathLike) -> Path:
    """A path with ``~`` as the home folder; ``~name`` without such a user is a name like others."""
    return Path(os.path.expanduser(path))


def path_of(name: str, value: object) -> Path:
    """A setting that is a path, with ``#`` where MONAI has put ``::``, and ``~`` as the home folder.

    Args:
        name: of the setting, as on the command line: ``output_dir``.
        value: what came of it.

    Raises:
        BundleError: the value is no text, lacks what followed ``#``, or could be either of two files.
    """
    typed = _typed(name)
    if type(value) is int and typed == str(value):
        value = typed
    if not isinstance(value, (str, os.PathLike)) or not str(value) or _is_cut(typed, str(value)):
        example = typed or (str(value) if isinstance(value, (int, float)) else "NAME")
        raise BundleError(f"{name} is a path, but what came is {value!r}; write it with ./ before it, as ./{example}.")
    path = expanded(value)
    path = _with_hashes(name, path) if _NEW in str(path) else path
    return path.absolute() if str(path).startswith("~") else path  # a folder of that name, which ./ has told


def check_typed(name: str, evaluate: Callable[[str], object]) -> None:
    """Refuse a path of the command line that begins as code or a reference does, and is neither.

    Args:
        name: of the setting.
        evaluate: gives a setting's value, or fails.

    Raises:
        BundleError: it fails.
    """
    typed = _typed(name)
    if typed is None or typed[:1] not in ("$", "@"):
        return
    try:
        evaluate(name)
    except Exception as error:  # of whatever kind such code raises
        raise BundleError(
            f"{name} is a path, but what begins with {typed[0]} is code to MONAI's command line; write it with ./ "
            f"before it, as ./{typed}."
        ) from error


def _typed(name: str) -> str | None:
    """What stands behind ``--name`` on the command line; None where it does not."""
    found = None
    for word, following in zip(sys.argv, [*sys.argv[1:], None]):
        option, equals, rest = word.partition("=")
        if option.replace("-", "_") == f"__{name}":
            found = rest if equals else following
    return found


def _is_cut(typed: str | None, value: str) -> bool:
    """Whether the end of what was typed was taken for a comment."""
    return typed is not None and _OLD in typed and value == typed.split(_OLD)[0].rstrip()


def _with_hashes(name: str, path: Path) -> Path:
    """The path with ``#`` for each ``::``, but for parts that exist as they stand.

    Raises:
        BundleError: both exist.
    """
    restored = Path(path.anchor)
    for part in path.relative_to(path.anchor).parts:
        literal, hashed = restored / part, restored / part.replace(_NEW, _OLD)
        if literal != hashed and literal.exists() and hashed.exists():
            raise BundleError(
                f"{name} could be {literal} or {hashed}, as MONAI's command line writes '#' as '::'; rename one."
            )
        restored = literal if literal.exists() else hashed
    return restored
