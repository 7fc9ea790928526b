"""Reconstruct one T2, undersampled, with the help of T1, to a NIfTI file on T2's grid and in its units.

    python -m bundle reconstruct T1.nii.gz T2.nii.gz -o OUT.nii.gz --acceleration 4

The undersampled scan is simulated: T2 is a fully sampled image, whose k-space is made, given noise and undersampled as
the options say. A report beside OUT, of the same name with .json, tells files, scan, weights and how T1 was aligned.
With --save_uncertainty true a standard deviation for each voxel goes to OUT_uncertainty.nii.gz (docs/uncertainty.md).
"""

from __future__ import annotations

import argparse
import logging.config
import re
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import yaml

from ..console import end_bars, prepare_console
from ..errors import BundleError
from ..outputs import begin_run
from ..settings import Settings
from ..settings.checks import phrase_of
from ..settings.shipped import CONFIGS
from ..settings.table import default_of
from ..written import tell_written
from . import SETTINGS


def main(arguments: Sequence[str] | None = None) -> int:
    """The command line; returns the exit status, 1 after a mistake, which is printed as one sentence."""
    options = vars(_parser().parse_args(arguments))
    from .volume import reconstruct  # here, since it takes seconds to import, and help should not

    logging.config.fileConfig(CONFIGS / "logging.conf", disable_existing_loggers=False)
    prepare_console()
    begin_run()
    given = {name: _value(value) for name, value in options.items() if name in SETTINGS and value is not None}
    files = {name: options[name] for name in ("output", "overwrite", "checkpoint")}
    try:
        reconstruct(options["t1"], options["t2"], **files, **given)
    except BundleError as error:
        end_bars()
        print(f"Error: {error}", file=sys.stderr)
        return 1
    tell_written(Path(options["output"]).parent)
    return 0


def _parser() -> argparse.ArgumentParser:
    plain = argparse.RawDescriptionHelpFormatter
    prog, usage = "python -m bundle reconstruct", "%(prog)s T1 T2 -o OUT [--overwrite] [--checkpoint FILE] [settings]"
    parser = argparse.ArgumentParser(prog=prog, usage=usage, description=__doc__, formatter_class=plain)
    add = parser.add_argument
    add("t1", metavar="T1", help="NIfTI file or folder of a DICOM series, fully sampled; it is aligned to T2")
    add("t2", metavar="T2", help="likewise, of the same subject, fully sampled")
    add("-o", "--output", required=True, metavar="OUT", help="file to write, .nii.gz or .nii; for DICOM a folder")
    add("--overwrite", action="store_true", help="replace OUT and the report beside it")
    add("--checkpoint", metavar="FILE", help="weights (default: those that are shipped, models/model.pt)")
    group = parser.add_argument_group("settings, as in configs/inference.yaml")
    for name in SETTINGS:
        meaning = re.sub(
            r"\[([^]]*)\]\([^)]*\)", r"\1", str(Settings.model_fields[name].description)
        )  # Markdown's links
        text = f"{phrase_of(name)}; {meaning} (default: {default_of(name)})".replace("`", "").replace("%", "%%")
        group.add_argument(f"--{name}", metavar="VALUE", help=text)
    return parser


def _value(text: str) -> Any:
    """As in a config, but for what YAML takes for a whole number of another base, as 010 for 8: that stays text."""
    try:
        value = yaml.safe_load(text)
    except yaml.YAMLError:
        return text
    return text if type(value) is int and text.strip().lstrip("+") != str(value) else value
