"""Make the demo data: eight simulated people in the IXI layout, with a ``datalist.json``."""

from __future__ import annotations

import argparse
import logging
import sys
from collections.abc import Sequence
from functools import partial

from ..errors import BundleError
from ..outputs import begin_run
from ..settings import whole_number
from .phantom import make_demo_dataset


def main(arguments: Sequence[str] | None = None) -> int:
    """The command line; returns the exit status, 1 after a mistake, which is printed as one sentence."""
    parser = argparse.ArgumentParser(prog="python -m bundle demo", description=__doc__)
    parser.add_argument("folder", nargs="?", default="demo_data", metavar="DIR", help="default: demo_data")
    seed = partial(whole_number, least=0)
    parser.add_argument("--seed", type=seed, default=0, help="another seed makes other people (default: 0)")
    options = parser.parse_args(arguments)
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    begin_run()
    try:
        print(make_demo_dataset(options.folder, seed=options.seed))
    except BundleError as error:
        print(f"Error: {error}", file=sys.stderr)
        return 1
    return 0
