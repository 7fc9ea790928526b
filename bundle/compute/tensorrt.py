"""TensorRT on NVIDIA GPUs, by MONAI's ``trt_compile``; for configs/inference_trt.yaml. Not tried, for want of a GPU."""

from __future__ import annotations

from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import torch
from torch import nn

from ..errors import BundleError
from ..outputs import check_writable
from ..settings import plain
from .exported import is_exported
from .placement import place

__all__ = ["place_in_tensorrt"]

_PACKAGES = ("tensorrt", "polygraphy", "onnx")
_INSTEAD = "leave configs/inference_trt.yaml out"


def place_in_tensorrt(
    network: nn.Module,
    device: torch.device | str,
    weights: Path,
    image_size: int | Sequence[int] | None,
    batch_size: int,
) -> nn.Module:
    """Move a network to a GPU, and let TensorRT compute it in float32.

    The engine is built at the first use, in minutes, and kept beside the weights for the next run, in a file named
    after them and the matrix, which ends in ``.plan``; it is built anew where the weights are newer.

    Args:
        network: gets its weights later, but before its first use.
        device: of the GPU.
        weights: their file.
        image_size: the matrix, ``n`` or ``[h, w]``.
        batch_size: the most slices at once.

    Raises:
        BundleError: there is no such GPU or no TensorRT, no one matrix, no network of torch, or no room for the engine.
    """
    size: Any = plain(image_size)
    _check(network, device, size)
    check_writable(weights.parent, "The engine is kept beside the weights, and the folder", "a checkpoint elsewhere")
    from monai.networks import trt_compile

    height, width = (size, size) if isinstance(size, int) else size
    arguments = {
        "precision": "fp32",  # 16 bits are too few for k-space, and TF32 has no more digits
        "dynamic_batchsize": [1, batch_size, batch_size],
        "export_args": {"dynamo": False, "opset_version": 17},
        "timestamp": int(weights.stat().st_mtime),
    }
    return trt_compile(place(network, device), f"{weights}-{height}x{width}", args=arguments)


def _check(network: nn.Module, device: torch.device | str, image_size: object) -> None:
    if torch.device(device).type != "cuda" or not torch.cuda.is_available():
        raise BundleError(f"TensorRT computes on an NVIDIA GPU, and the device here is {device}; {_INSTEAD}.")
    if missing := [name for name in _PACKAGES if find_spec(name) is None]:
        raise BundleError(f"TensorRT needs the Python packages {', '.join(missing)}; install them, or {_INSTEAD}.")
    if image_size is None or isinstance(image_size, str):
        named = image_size or "null"
        raise BundleError(f"TensorRT computes one matrix, so image_size is a number or a pair here, not {named}.")
    if is_exported(network):
        raise BundleError("TensorRT takes a checkpoint (.pt), which it exports itself, not an exported network.")
