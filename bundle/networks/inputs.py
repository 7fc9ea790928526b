"""What every network is given: one tensor of both k-spaces, and how it reads images, k-spaces and the mask from it.

``image`` is ``(b, 4, h, w)``: T1 k-space, then undersampled T2 k-space, each real and imaginary part, centred.
"""

from __future__ import annotations

import torch
from torch import Tensor

from ..errors import BundleError
from ..fourier import magnitude_image

__all__ = ["check_input", "sampled_points", "t1_kspace", "t1_magnitude", "t2_kspace", "t2_magnitude"]


def t1_kspace(image: Tensor) -> Tensor:
    """``(b, 4, h, w)`` to ``(b, 2, h, w)``."""
    return image[:, 0:2]


def t2_kspace(image: Tensor) -> Tensor:
    """``(b, 4, h, w)`` to ``(b, 2, h, w)``, zero where it was not sampled."""
    return image[:, 2:4]


def t1_magnitude(image: Tensor) -> Tensor:
    """``(b, 4, h, w)`` to the fully sampled T1 image, ``(b, 1, h, w)``."""
    return magnitude_image(t1_kspace(image))


def t2_magnitude(image: Tensor) -> Tensor:
    """``(b, 4, h, w)`` to the zero-filled T2 image, ``(b, 1, h, w)``."""
    return magnitude_image(t2_kspace(image))


def sampled_points(image: Tensor) -> Tensor:
    """The mask, bool ``(b, 1, h, w)``: points of T2's k-space that are not zero.

    A sampled point that measured exactly zero counts as not sampled. With noise there is none; without, a slice of air.
    """
    return (t2_kspace(image) != 0).any(dim=1, keepdim=True)


def check_input(image: Tensor, name: str, divisor: int = 1) -> None:
    """Refuse what is not ``(b, 4, h, w)`` with ``h`` and ``w`` divisible by ``divisor``; exported networks do not look.

    Raises:
        BundleError: with the network's name.
    """
    if not torch.jit.is_scripting():
        if not torch.onnx.is_in_onnx_export():
            _check_shape(image, name, divisor)


def _check_shape(image: Tensor, name: str, divisor: int) -> None:
    if image.ndim != 4 or image.shape[1] != 4:
        raise BundleError(
            f"{name} expects (b, 4, h, w): T1 and T2 k-space, each real and imaginary part; "
            f"it was given {tuple(image.shape)}."
        )
    if image.shape[2] % divisor or image.shape[3] % divisor:
        raise BundleError(
            f"{name} halves the matrix until 1/{divisor}: height and width must be divisible by "
            f"{divisor}, not {image.shape[2]} x {image.shape[3]}; pad the image before its k-space is made."
        )
