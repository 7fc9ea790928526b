"""A pair of files and weights that reconstruct it in a second."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from bundle.networks import MANet
from tests.nifti_pairs import write_pair


@pytest.fixture(scope="session")
def pair(tmp_path_factory) -> tuple[str, str]:
    return write_pair(tmp_path_factory.mktemp("pair"), "x")


@pytest.fixture(scope="session")
def checkpoint(tmp_path_factory) -> Path:
    path = tmp_path_factory.mktemp("weights") / "run#7.pt"
    torch.manual_seed(0)
    torch.save(MANet(channels=4).state_dict(), path)
    return path
