"""The table of settings in README.md: ``python -m bundle settings`` prints it."""

from __future__ import annotations

import argparse
from collections.abc import Sequence

import yaml

from .checks import phrase_of
from .declaration import Settings

__all__ = ["default_of", "main", "markdown"]


def markdown() -> str:
    """One row a setting: id, default, what it may be, meaning."""
    rows = ["| id | default | what it is | meaning |", "|---|---|---|---|"]
    for name, field in Settings.model_fields.items():
        rows.append(f"| `{name}` | {default_of(name)} | {phrase_of(name)} | {field.description} |")
    return "\n".join(rows)


def default_of(name: str) -> str:
    """The default of a setting in Markdown: as the configs have it, or in words where they have an expression."""
    field = Settings.model_fields[name]
    shown = field.json_schema_extra["shown"] if isinstance(field.json_schema_extra, dict) else None
    if shown:
        return str(shown)
    return f"`{yaml.safe_dump(field.default, default_flow_style=True).removesuffix('...' + chr(10)).strip()}`"


def main(arguments: Sequence[str] | None = None) -> int:
    """The command line; returns the exit status."""
    argparse.ArgumentParser(prog="python -m bundle settings", description=__doc__).parse_args(arguments)
    print(markdown())
    return 0
