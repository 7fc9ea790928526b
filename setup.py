"""Builds the package; all but its version stands in pyproject.toml.

The version stands in configs/metadata.json, where the Model Zoo reads it, and nowhere else.
"""

import json
from pathlib import Path

from setuptools import setup

setup(version=json.loads(Path(__file__).with_name("configs").joinpath("metadata.json").read_text("utf-8"))["version"])
