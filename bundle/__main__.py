"""The command line: ``python -m bundle COMMAND``; each command has ``--help``."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence
from importlib import import_module

from .console import end_bars, prepare_console
from .errors import first_bundle_error
from .paths import own_path

COMMANDS = {  # name -> module with main(arguments), what it does
    "pairs": ("bundle.data.pairs", "find the T1/T2 pairs of a folder, split them by subject, write datalist.json"),
    "ixi": ("bundle.ixi.__main__", "make aligned, split pairs of IXI, from its archives or from the web"),
    "quality": ("bundle.quality.__main__", "show on one page whether T1 lies on T2, the most suspect pairs first"),
    "reconstruct": ("bundle.reconstruction.__main__", "reconstruct a T2 with the help of a T1, file to file"),
    "inspect": ("bundle.kspace.inspect", "tell what is in a file of raw k-space or of an image"),
    "label": ("bundle.label.__main__", "serve reconstructions to Slicer, by MONAI Label"),
    "demo": ("bundle.demo.__main__", "make the demo data"),
    "study": ("bundle.study.__main__", "train and test several methods under one protocol, with tables and a report"),
    "settings": ("bundle.settings.table", "print every setting: default, range, meaning"),
    "benchmark": ("bundle.benchmark.__main__", "time training, reconstruction, data and start, beside published code"),
}


def main(arguments: Sequence[str] | None = None) -> int:
    """Hand the arguments to the command that the first one names; returns its exit status."""
    parser = argparse.ArgumentParser(
        prog="python -m bundle",
        formatter_class=argparse.RawDescriptionHelpFormatter,
        description="Tools beside the bundle's workflows, which python -m monai.bundle run starts.",
        epilog="commands:\n"
        + "\n".join(f"  {name:<13}{what}" for name, (_, what) in COMMANDS.items())
        + f"\n\nIts configs lie in {own_path('configs')}, its weights in {own_path('models')}.",
    )
    parser.add_argument("command", choices=COMMANDS, metavar="COMMAND", help="see below; COMMAND --help tells more")
    given = list(sys.argv[1:] if arguments is None else arguments)
    if not given:
        parser.print_help()
        return 0
    options = parser.parse_args(given[:1])
    prepare_console()
    try:
        status = import_module(COMMANDS[options.command][0]).main(given[1:])
        sys.stdout.flush()
        return status
    except (OSError, KeyboardInterrupt) as error:
        return _end(error)


def _end(error: BaseException) -> int:
    """The exit status after what ends a command early, as a shell reports it, and a word on it; a defect is raised."""
    if isinstance(error, BrokenPipeError):  # whoever reads, such as head, has read enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # Python flushes once more at its end
        return 141
    interrupted, sentence = isinstance(error, KeyboardInterrupt), first_bundle_error(error)
    if not interrupted and sentence is None:
        raise error
    end_bars()
    print("Interrupted." if interrupted else f"Error: {sentence}", file=sys.stderr)
    return 130 if interrupted else 1


if __name__ == "__main__":
    raise SystemExit(main())
