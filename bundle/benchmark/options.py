"""The benchmark's command line."""

from __future__ import annotations

import argparse
from collections.abc import Collection
from functools import partial

import torch

from ..paths import expanded
from ..settings import whole_number
from .contestants import VARIANTS

__all__ = ["PARTS", "make_parser"]

PARTS = ("training", "reconstruction", "data", "start")


def make_parser(description: str | None) -> argparse.ArgumentParser:
    """All options, with the defaults for this machine."""
    parser = argparse.ArgumentParser(
        prog="python -m bundle benchmark", description=description, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    add = parser.add_argument
    add("--peer", type=expanded, action="append", default=[], metavar="PATH", help="a peer's checkout; may be repeated")
    parts, variants = partial(_names, what="part", known=PARTS), partial(_names, what="variant", known=VARIANTS)
    add("--parts", type=parts, default=list(PARTS), metavar="A,B,...", help=f"of {', '.join(PARTS)} (default: all)")
    shown = f"of this bundle's network: {', '.join(VARIANTS)} (default: the first two)"
    add("--variants", type=variants, default=list(VARIANTS)[:2], metavar="A,B,...", help=shown)
    mixed = "each variant in mixed precision too (default: where the configs compute so)"
    add("--amp", action=argparse.BooleanOptionalAction, help=mixed)
    add("--data", type=expanded, metavar="DIR", help="folder with datalist.json (default: data made by code)")
    add("--json", type=expanded, metavar="FILE", help="all figures, with those of every round")
    add("--overwrite", action="store_true", help="whether FILE may be replaced")
    device = "cuda" if torch.cuda.is_available() else "cpu"
    add("--device", default=device, help=f"default: {device}")
    _add_numbers(parser, on_gpu=device == "cuda")
    return parser


def _add_numbers(parser: argparse.ArgumentParser, on_gpu: bool) -> None:
    numbers = {
        "channels": (64, "features where there is no peer"),
        "size": (256, "rows and columns of a slice"),
        "batch-size": (8 if on_gpu else 1, "slices of a training step"),
        "slices": (100 if on_gpu else 4, "of the volume that is reconstructed"),
        "repeats": (10, "rounds that count"),
        "steps": (5, "training steps whose waiting is clocked"),
        "workers": (2, "of the data loader"),
        "threads": (torch.get_num_threads(), "of the CPU"),
    }
    for name, (default, what) in numbers.items():
        kind = partial(whole_number, least=int(name != "workers"))
        parser.add_argument(f"--{name}", type=kind, default=default, metavar="N", help=f"{what} (default: {default})")


def _names(text: str, what: str, known: Collection[str]) -> list[str]:
    names = [name.strip() for name in text.split(",") if name.strip()]
    for name in names or [text]:
        if name not in known:
            raise argparse.ArgumentTypeError(f"there is no {what} {name!r}; there are {', '.join(known)}")
    return names
