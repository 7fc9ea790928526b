"""The table of settings in README.md: ``python -m bundle settings`` prints it."""

from __future__ import annotations

import argparse
from collections.abc import Sequence

import yaml

from .checks import phrase_of
from .declaration import Settings

__all__ = ["main", "markdown"]


def markdown() -> str:
    """One row a setting: id, default, what it may be, meaning."""
    rows = ["| id | default | what it is | meaning |", "|---|---|---|---|"]
    for name, field in Settings.model_fields.items():
        extra = field.json_schema_extra
        shown = extra["shown"] if isinstance(extra, dict) else None
        rows.append(f"| `{name}` | {shown or _text(field.default)} | {phrase_of(name)} | {field.description} |")
    return "\n".join(rows)


def main(arguments: Sequence[str] | None = None) -> int:
    """The command line; returns the exit status."""
    argparse.ArgumentParser(prog="python -m bundle settings", description=__doc__).parse_args(arguments)
    print(markdown())
    return 0


def _text(value: object) -> str:
    """As the configs have it."""
    return f"`{yaml.safe_dump(value, default_flow_style=True).removesuffix('...' + chr(10)).strip()}`"
