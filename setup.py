"""Builds the package; what is the same in every build stands in pyproject.toml.

The version stands in configs/metadata.json, where the Model Zoo reads it, and nowhere else. The repository is the
bundle, with configs/ and models/ at its root; the package that is installed has both in bundle/shipped, where
bundle/paths.py finds them.
"""

import json
from pathlib import Path

from setuptools import find_packages, setup

METADATA = Path(__file__).with_name("configs") / "metadata.json"
SHIPPED = {
    "configs": ["*.yaml", "*.json", "*.conf", "*/*.yaml"],
    "models": ["*.pt", "*.json"],
}

setup(
    version=json.loads(METADATA.read_text("utf-8"))["version"],
    packages=[*find_packages(include=["bundle", "bundle.*"]), *(f"bundle.shipped.{name}" for name in SHIPPED)],
    package_dir={f"bundle.shipped.{name}": name for name in SHIPPED},
    package_data={
        "bundle": ["py.typed"],
        "bundle.quality": ["*.j2"],
        "bundle.study": ["*.j2"],
        **{f"bundle.shipped.{name}": files for name, files in SHIPPED.items()},
    },
)
