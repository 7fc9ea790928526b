"""ONNX files of small networks, made with the arguments that docs/exports.md gives MONAI's export."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
import yaml
from monai.networks.utils import convert_to_onnx
from torch import nn

from tests.bundle_runs import ROOT

ARGUMENTS = yaml.safe_load((ROOT / "configs/exports/onnx.yaml").read_text())["converter_kwargs"]
CLOSE = 1e-4  # of the image's range
WITHOUT = "ONNX needs the extra 'export': pip install '.[export]'"


def need_onnx() -> None:
    """Skip the test where what reads, writes or computes ONNX is missing."""
    for name in ("onnx", "onnxruntime", "onnxscript"):
        pytest.importorskip(name, reason=WITHOUT)


def images(*shape: int) -> torch.Tensor:
    """Both k-spaces ``(b, 4, h, w)``, four of ten of T2's lines sampled."""
    generator = torch.Generator().manual_seed(0)
    kspaces = torch.randn(*shape, generator=generator)
    kspaces[:, 2:] *= torch.rand(shape[-1], generator=generator) < 0.4
    return kspaces


def write_onnx(network: nn.Module, path: Path, **arguments: Any) -> Path:
    """Export a network for all sizes; ``arguments`` of the export replace those of configs/exports/onnx.yaml."""
    convert_to_onnx(network, [images(2, 4, 32, 48)], filename=str(path), **(ARGUMENTS | arguments))
    return path


@torch.no_grad()
def difference(found: nn.Module, expected: nn.Module, *shape: int) -> float:
    """The largest one of two networks' images, in units of the image's range."""
    image = images(*shape)
    wanted = expected(image)
    given = found(image)
    assert given.shape == wanted.shape and given.dtype == wanted.dtype
    return float((given - wanted).abs().max() / (wanted.max() - wanted.min()))
