"""The transform of :mod:`bundle.fourier` without complex numbers, as products of matrices: for export to ONNX.

ONNX has no complex numbers, its DFT is slow in onnxruntime, and the shifts of a centred FFT cannot be exported for
sizes that are not known. An axis of ``n`` points is transformed in two steps of Cooley and Tukey, of ``RADIX`` and of
``n / RADIX`` points; its centre is part of the matrices.
"""

from __future__ import annotations

import torch
from torch import Tensor

__all__ = ["RADIX", "transform"]

RADIX = 16  # divides every matrix that the networks take


def transform(channels: Tensor, inverse: bool) -> Tensor:
    """Image to k-space, or back: two-dimensional, centred, orthonormal.

    Args:
        channels: real and imaginary part, ``(b, 2, h, w)``; h and w divisible by :data:`RADIX`.
        inverse: from k-space to image.

    Returns:
        ``(b, 2, h, w)``.
    """
    for _ in range(2):
        channels = _transform_rows(channels, 1.0 if inverse else -1.0)
    return channels


def _transform_rows(channels: Tensor, sign: float) -> Tensor:
    """Transform the third axis and exchange it with the fourth, ``(b, 2, n, w)`` to ``(b, 2, w, n)``.

    With ``x = (n / RADIX) x1 + x2`` and ``k = k1 + RADIX k2``, the phase of ``(x - n/2) (k - n/2)`` is that of
    ``(n / RADIX) x1 (k1 - n/2)``, a transform over ``x1``, and of ``(x2 - n/2) (k - n/2)``, one over ``x2`` for each
    ``k1``.
    """
    batch, _, size, width = channels.shape
    long = size // RADIX
    n = torch.full(
        (1,), size, dtype=torch.int64, device=channels.device
    )  # a tensor: exporters hardly reckon with sizes
    centre = torch.div(n, 2, rounding_mode="floor")
    k1, x2 = torch.arange(RADIX, device=channels.device), torch.arange(long, device=channels.device)
    k = k1[:, None, None] + RADIX * x2[:, None]
    of_x1 = _parts(torch.div(n, RADIX, rounding_mode="floor") * k1 * (k1[:, None] - centre), n, sign, -3)
    of_x2 = _parts((x2 - centre) * (k - centre), n, sign, -4) * n.float().rsqrt()
    inner = of_x1.reshape(2 * RADIX, 2 * RADIX) @ channels.reshape(batch, 2 * RADIX, long * width)
    outer = of_x2.reshape(RADIX, 2 * long, 2 * long) @ inner.reshape(batch, RADIX, 2 * long, width)
    return outer.reshape(batch, RADIX, 2, long, width).permute(0, 2, 4, 3, 1).reshape(batch, 2, width, size)


def _parts(phase: Tensor, n: Tensor, sign: float, dim: int) -> Tensor:
    """``exp(sign 2 pi i phase / n)`` as a real matrix on real and imaginary part.

    Args:
        phase: whole numbers, ``(..., rows, columns)``; exact, as their rest by ``n`` is taken first.
        n: the number of points, ``(1,)``.
        sign: 1 or -1.
        dim: where the result's part stands; -4: ``(..., 2, rows, 2, columns)``, -3: ``(..., rows, 2, 2, columns)``.
    """
    angle = torch.remainder(phase, n) / n * (2 * torch.pi * sign)
    real, imaginary = torch.cos(angle), torch.sin(angle)
    return torch.stack((torch.stack((real, -imaginary), -2), torch.stack((imaginary, real), -2)), dim)
