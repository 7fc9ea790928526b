"""Exported networks, TorchScript (``.ts``) and ONNX (``.onnx``), read back as modules; docs/exports.md makes them."""

from __future__ import annotations

import io
from pathlib import Path

import torch
from torch import nn

from ..errors import BundleError
from .onnx_network import OnnxNetwork

__all__ = ["EXPORTS", "is_exported", "read_exported"]

EXPORTS = (".ts", ".onnx")


def read_exported(path: Path, content: bytes) -> nn.Module:
    """The network of a file, on the CPU, in eval mode.

    Args:
        path: tells by its suffix, one of :data:`EXPORTS`, what the file is.
        content: of the file.

    Raises:
        BundleError: it is no such network.
    """
    if path.suffix == ".onnx":
        return OnnxNetwork(content, path.name).eval()
    try:  # TorchScript runs no Python
        return torch.jit.load(io.BytesIO(content), map_location="cpu").eval()
    except RuntimeError as error:
        raise BundleError(f"{path} is not a TorchScript file that can be read; was it cut short?") from error


def is_exported(network: object) -> bool:
    """Whether a network was read from an export, whose computation is fixed."""
    return isinstance(network, (torch.jit.ScriptModule, OnnxNetwork))
