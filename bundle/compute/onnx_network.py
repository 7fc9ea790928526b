"""A network that onnxruntime computes, from an ONNX file (docs/exports.md), as a module like any other."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from types import ModuleType
from typing import Any, Self

import torch
from torch import Tensor, nn

from ..errors import BundleError
from ..fourier_matrices import RADIX
from ..networks.inputs import check_input

__all__ = ["OnnxNetwork"]

_PROVIDERS = {"cpu": "CPUExecutionProvider", "cuda": "CUDAExecutionProvider"}


class OnnxNetwork(nn.Module):
    """Computes in float32, with as many threads as torch has, and without gradients.

    Args:
        content: of the file.
        name: of the file, for messages.

    Attributes:
        checksum: the content's SHA-256, ``(32,)``, a buffer that stands for the weights.

    Raises:
        BundleError: onnxruntime is not installed, cannot read the content or cannot compute on a device; or it is no
            network of one input and one output.
    """

    checksum: Tensor

    def __init__(self, content: bytes, name: str) -> None:
        super().__init__()
        self._content, self._name = content, name
        self.register_buffer("checksum", torch.tensor(list(hashlib.sha256(content).digest()), dtype=torch.uint8))
        self._session = self._start(torch.device("cpu"))

    def forward(self, image: Tensor) -> Tensor:
        """T1 and undersampled T2 k-space ``(b, 4, h, w)`` to the T2 image ``(b, 1, h, w)``, on the same device.

        Raises:
            BundleError: ``h`` or ``w`` is not divisible by 16, or the file was exported for another size.
        """
        check_input(image, self._name, RADIX)
        given = self._session.get_inputs()[0]
        if any(isinstance(wanted, int) and wanted != size for wanted, size in zip(given.shape, image.shape)):
            raise BundleError(
                f"{self._name} was exported for inputs of {given.shape} alone, and is given {list(image.shape)}; "
                "export it for all sizes, with --args_file configs/exports/onnx.yaml."
            )
        (output,) = self._session.run(None, {given.name: image.detach().float().cpu().numpy()})
        return torch.from_numpy(output).to(image.device)

    def _apply(self, fn: Callable[[Tensor], Tensor], recurse: bool = True) -> Self:
        """What ``to(device)`` and its like call."""
        before = self.checksum.device
        super()._apply(fn, recurse)
        if self.checksum.device != before:
            self._session = self._start(self.checksum.device)
        return self

    def _start(self, device: torch.device) -> Any:
        runtime = _onnxruntime(self._name)
        provider = _PROVIDERS.get(device.type)
        if provider not in runtime.get_available_providers():
            raise BundleError(
                f"The onnxruntime that is installed does not compute on {device}; take --device cpu, or install "
                "onnxruntime-gpu."
            )
        options = runtime.SessionOptions()
        options.intra_op_num_threads = torch.get_num_threads()
        place = (provider, {"device_id": device.index or 0} if device.type == "cuda" else {})
        try:
            session = runtime.InferenceSession(self._content, options, providers=[place])
        except Exception as error:  # of many classes of its own
            raise BundleError(
                f"{self._name} is not an ONNX file that onnxruntime can read; was it cut short?"
            ) from error
        shapes = [len(tensor.shape) for tensor in (*session.get_inputs(), *session.get_outputs())]
        if shapes != [4, 4]:
            raise BundleError(f"{self._name} is not a network of this bundle, from (b, 4, h, w) to (b, 1, h, w).")
        return session


def _onnxruntime(name: str) -> ModuleType:
    try:
        import onnxruntime
    except ImportError as error:
        raise BundleError(
            f"{name} is computed by onnxruntime, which is not installed: pip install onnxruntime."
        ) from error
    return onnxruntime
