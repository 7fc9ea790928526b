"""Data consistency: the reconstruction's k-space drawn towards the measured one, where it was measured."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from ..fourier import to_image, to_kspace

__all__ = ["SoftDataConsistency", "hard_data_consistency", "measured_noise"]


class SoftDataConsistency(nn.Module):
    """``k - w (k - measured)`` at the sampled points, with a weight ``w`` from 0 to 1 that is learned.

    Weight 1 returns the measurement, and with it its noise; so the weight depends on the noise of the scan:
    ``w = sigmoid(a + b log n)``, with ``n`` of :func:`measured_noise`.

    Args:
        weight: at the start, whatever the noise.
    """

    def __init__(self, weight: float = 0.5) -> None:
        super().__init__()
        self.offset = nn.Parameter(torch.logit(torch.tensor(float(weight))))
        self.slope = nn.Parameter(torch.zeros(()))

    def forward(self, image: Tensor, measured: Tensor, sampled: Tensor, noise: Tensor) -> Tensor:
        """Move an image towards the measurement.

        Args:
            image: complex image as two channels, ``(b, 2, h, w)``.
            measured: undersampled k-space, ``(b, 2, h, w)``.
            sampled: bool, ``(b, 1, h, w)``.
            noise: ``(b, 1, 1, 1)``, see :func:`measured_noise`.

        Returns:
            the image, ``(b, 2, h, w)``.
        """
        return image - self.weight_at(noise) * to_image((to_kspace(image) - measured) * sampled)

    def weight_at(self, noise: Tensor) -> Tensor:
        """``w``, shaped as the noise."""
        return torch.sigmoid(self.offset + self.slope * torch.log(noise))


def hard_data_consistency(predicted: Tensor, measured: Tensor, sampled: Tensor) -> Tensor:
    """The measured value where there is one, else the predicted.

    Args:
        predicted: k-space ``(b, 2, h, w)``.
        measured: undersampled k-space ``(b, 2, h, w)``.
        sampled: bool ``(b, 1, h, w)``.
    """
    return torch.where(sampled, measured, predicted)


def measured_noise(measured: Tensor, sampled: Tensor, outer: float = 0.7) -> Tensor:
    """Root mean square of the sampled points of outer k-space, where a scan has little but noise.

    Args:
        measured: undersampled k-space, ``(b, 2, h, w)``.
        sampled: bool, ``(b, 1, h, w)``.
        outer: where outer k-space begins, of the way from the middle of the matrix, half a point off the zero frequency
            where a side is even, to its edge.

    Returns:
        ``(b, 1, 1, 1)``, above 0. Without noise it is what detail the image has, which is small against noise.
    """
    height, width = measured.shape[-2:]
    y = _from_edge_to_edge(height, measured.device).view(1, 1, height, 1)
    x = _from_edge_to_edge(width, measured.device).view(1, 1, 1, width)
    counted = sampled & ((y * y + x * x) > outer * outer)
    power = (measured * measured).sum(1, keepdim=True) * counted
    count = counted.sum(dim=(1, 2, 3), keepdim=True).clamp(min=1)
    return torch.sqrt(power.sum(dim=(1, 2, 3), keepdim=True) / count + 1e-8)


def _from_edge_to_edge(size: int, device: torch.device) -> Tensor:
    """``(size,)`` equal steps from -1 to 1; ``torch.linspace`` would fix the size in an export."""
    return (2 * torch.arange(size, device=device) - (size - 1)) / (size - 1)
