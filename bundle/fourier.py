"""The Fourier conventions, stated once: two-dimensional, centred, orthonormal. The only user of ``torch.fft``.

*Centred*: the zero frequency and the image's middle stand at index ``n // 2`` of each axis. *Orthonormal*: a transform
keeps the energy, so that the adjoint is the inverse and white noise has one standard deviation in both domains.

Inside the physics an image or k-space is ``torch.complex64``, shape ``(..., h, w)``. At the network's border it is two
real channels, ``(..., 2, h, w)``: real, imaginary. While a network is exported to ONNX, which knows no complex numbers,
the functions from channels to channels take :mod:`bundle.fourier_matrices` instead.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor
from torch.nn import functional as F

from .fourier_matrices import transform

__all__ = [
    "channels_to_complex",
    "complex_to_channels",
    "fft2c",
    "ifft2c",
    "magnitude",
    "magnitude_image",
    "mirrored",
    "to_image",
    "to_kspace",
    "to_size",
]


def fft2c(image: Tensor) -> Tensor:
    """Image to k-space.

    Args:
        image: real or complex, ``(..., h, w)``.

    Returns:
        complex k-space, ``(..., h, w)``, zero frequency at ``(h // 2, w // 2)``.
    """
    shifted = torch.fft.ifftshift(image, dim=(-2, -1))
    return torch.fft.fftshift(torch.fft.fft2(shifted, norm="ortho"), dim=(-2, -1))


def ifft2c(kspace: Tensor) -> Tensor:
    """K-space to image: the inverse, and the adjoint, of :func:`fft2c`.

    Args:
        kspace: complex, ``(..., h, w)``, zero frequency at ``(h // 2, w // 2)``.

    Returns:
        complex image, ``(..., h, w)``.
    """
    shifted = torch.fft.ifftshift(kspace, dim=(-2, -1))
    return torch.fft.fftshift(torch.fft.ifft2(shifted, norm="ortho"), dim=(-2, -1))


def mirrored(centred: Tensor, axes: tuple[int, ...] = (-2, -1)) -> Tensor:
    """Indices reversed about ``n // 2`` along axes; of an even axis index 0, which has none opposite, stays.

    A k-space so mirrored is that of the image so mirrored, sample by sample, and so is its mask.

    Args:
        centred: k-space, image or mask, ``(..., h, w)``.
        axes: along which; both give each point of k-space the one opposite.
    """
    return centred.flip(*axes).roll([1 - centred.shape[axis] % 2 for axis in axes], axes)


def to_size(values: Tensor, size: Sequence[int]) -> Tensor:
    """Crop or zero-pad ``(..., h, w)`` to ``size`` so that what stood at ``n // 2`` stands there again."""
    padding: list[int] = []
    for old, new in zip(reversed(values.shape[-2:]), reversed(list(size))):
        before = new // 2 - old // 2
        padding += [before, new - old - before]
    return F.pad(values, padding)


def complex_to_channels(values: Tensor) -> Tensor:
    """``(..., h, w)`` complex to ``(..., 2, h, w)`` real: real part, imaginary part."""
    return torch.stack((values.real, values.imag), dim=-3)


def channels_to_complex(channels: Tensor) -> Tensor:
    """``(..., 2, h, w)`` real (real part, imaginary part) to ``(..., h, w)`` complex64, also under autocast."""
    channels = channels.float()
    return torch.complex(channels[..., 0, :, :], channels[..., 1, :, :])


def to_image(kspace: Tensor) -> Tensor:
    """K-space to complex image, both ``(b, 2, h, w)`` real."""
    if not torch.jit.is_scripting():
        if torch.onnx.is_in_onnx_export():
            return transform(kspace, inverse=True)
    return complex_to_channels(ifft2c(channels_to_complex(kspace)))


def to_kspace(image: Tensor) -> Tensor:
    """Complex image to k-space, both ``(b, 2, h, w)`` real."""
    if not torch.jit.is_scripting():
        if torch.onnx.is_in_onnx_export():
            return transform(image, inverse=False)
    return complex_to_channels(fft2c(channels_to_complex(image)))


def magnitude_image(kspace: Tensor) -> Tensor:
    """K-space at the network's border, ``(b, 2, h, w)`` real, to its magnitude image, ``(b, 1, h, w)``."""
    if not torch.jit.is_scripting():
        if torch.onnx.is_in_onnx_export():
            return magnitude(to_image(kspace))
    return ifft2c(channels_to_complex(kspace)).abs().unsqueeze(1)


def magnitude(image: Tensor) -> Tensor:
    """Complex image, ``(b, 2, h, w)`` real, to its magnitude, ``(b, 1, h, w)``."""
    if not torch.jit.is_scripting():
        if torch.onnx.is_in_onnx_export():
            return torch.linalg.vector_norm(image, dim=1, keepdim=True)
    return channels_to_complex(image).abs().unsqueeze(1)  # many times as fast as the norm of two channels
