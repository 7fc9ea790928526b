"""Serve reconstructions of a folder of studies to Slicer and other clients of MONAI Label.

    python -m bundle label STUDIES

STUDIES is a folder, or a DICOMweb store by its address (http://127.0.0.1:8042/dicom-web). A folder holds T2 files,
.nii.gz or .nii, and beside each its T1 by name, best in a folder T1: a_T2.nii.gz and T1/a_T1.nii.gz. MONAI Label is in
an environment of its own (make label-demo); docs/monai_label.md shows the rest.
"""

from __future__ import annotations

import argparse
import logging.config
import sys
from collections.abc import Sequence
from importlib.util import find_spec

from ..console import prepare_console
from ..errors import BundleError
from ..paths import expanded
from ..settings.shipped import CONFIGS
from .guard import LOOPBACK
from .source import Source

_SET_UP = "make label-demo sets up an environment with it, .venv-label (docs/monai_label.md)"


def main(arguments: Sequence[str] | None = None) -> int:
    """The command line; returns the exit status, 1 after a mistake, which is printed as one sentence."""
    options = _parser().parse_args(arguments)
    logging.config.fileConfig(CONFIGS / "logging.conf", disable_existing_loggers=False)
    prepare_console()
    try:
        if find_spec("monailabel") is None:
            raise BundleError(f"MONAI Label is not installed beside {sys.executable}; {_SET_UP}.")
        from .server import serve

        studies = _studies(options)
        serve(studies, options.work, options.host, options.port, [*LOOPBACK, *options.allow], options.also)
    except BundleError as error:
        print(f"Error: {error}", file=sys.stderr)
        return 1
    return 0


def _studies(options: argparse.Namespace) -> Source:
    source = Source(options.studies)
    if options.demo and not source.is_store:
        from .studies import make_demo_studies

        make_demo_studies(source.folders[0])
    source.check()
    for other in options.also:
        if not other.is_dir():
            raise BundleError(f"The folder {other}, which --also allows, does not exist.")
    return source


def _parser() -> argparse.ArgumentParser:
    plain = argparse.RawDescriptionHelpFormatter
    parser = argparse.ArgumentParser(prog="python -m bundle label", description=__doc__, formatter_class=plain)
    add = parser.add_argument
    add("studies", metavar="STUDIES", help="folder of studies, or address of a DICOMweb store")
    add("--demo", action="store_true", help="make STUDIES of the demo data where it does not exist")
    text = "the server's own folder (default: %(default)s)"
    add("--work", type=expanded, default="outputs/label", metavar="DIR", help=text)
    add("--host", default="127.0.0.1", help="address to listen at (default: %(default)s, this machine alone)")
    add("--port", type=int, default=8000, help="(default: %(default)s)")
    add("--allow", action="append", default=[], metavar="ADDRESS", help="answer this address or network, too")
    add("--also", action="append", default=[], type=expanded, metavar="DIR", help="requests may name files in it, too")
    return parser
