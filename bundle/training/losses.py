"""The paper's loss over both domains and both modalities (Eq. 6), and those of the networks it is compared with."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from ..errors import BundleError
from ..fourier import channels_to_complex, complex_to_channels, ifft2c, magnitude_image
from ..networks import DuDoRNetOutput, MANetOutput

__all__ = ["DualDomainLoss", "HybridDomainLoss", "ImageLoss"]


class HybridDomainLoss(nn.Module):
    """``alpha * k-space + (1 - alpha) * image``, each ``(1 - beta) * T1 + beta * T2``, mean absolute error (Eq. 6).

    Args:
        alpha: weight of k-space against the image domain; 0.4 in the paper.
        beta: weight of T2, the target, against T1; 0.6 in the paper. (Eq. 6 weighs the target with it; the paper's text
            on Fig. 9 says the auxiliary. The equation holds here.)

    Raises:
        BundleError: a weight outside 0 to 1.
    """

    def __init__(self, alpha: float = 0.4, beta: float = 0.6) -> None:
        super().__init__()
        self.alpha = _weight("alpha", alpha)
        self.beta = _weight("beta", beta)

    def forward(self, output: MANetOutput, full_kspace: Tensor) -> Tensor:
        """Compare the network's output with the fully sampled scan.

        Args:
            output: both k-spaces and both images.
            full_kspace: ``(b, 4, h, w)``: fully sampled T1 and T2 k-space, real and imaginary part.

        Returns:
            the loss, a scalar.
        """
        t1_kspace, t2_kspace = full_kspace[:, 0:2], full_kspace[:, 2:4]
        kspace = self._both(F.l1_loss(output.t1_kspace, t1_kspace), F.l1_loss(output.t2_kspace, t2_kspace))
        image = self._both(
            F.l1_loss(output.t1_image, magnitude_image(t1_kspace)),
            F.l1_loss(output.t2_image, magnitude_image(t2_kspace)),
        )
        return self.alpha * kspace + (1 - self.alpha) * image

    def _both(self, t1: Tensor, t2: Tensor) -> Tensor:
        return (1 - self.beta) * t1 + self.beta * t2


class ImageLoss(nn.Module):
    """``(1 - rms) * mean absolute error + rms * root mean square error`` of T2, for networks that return it alone.

    Args:
        rms: weight of the root mean square error of each slice, which is what PSNR counts; 0: the mean absolute error
            alone, as in Eq. 3.

    Raises:
        BundleError: a weight outside 0 to 1.
    """

    def __init__(self, rms: float = 0.0) -> None:
        super().__init__()
        self.rms = _weight("rms", rms)

    def forward(self, output: Tensor, full_kspace: Tensor) -> Tensor:
        """Compare the T2 image ``(b, 1, h, w)`` with the fully sampled k-spaces ``(b, 4, h, w)``; a scalar."""
        image = magnitude_image(full_kspace[:, 2:4])
        slices = (output - image).flatten(1)
        # not the square root of a mean: its gradient is nan in a slice without error
        rms = torch.linalg.vector_norm(slices, dim=1).mean() / math.sqrt(slices.shape[1])
        return (1 - self.rms) * F.l1_loss(output, image) + self.rms * rms


class DualDomainLoss(nn.Module):
    """DuDoRNet's: for each recurrence the mean absolute error of the complex image and of k-space, summed."""

    def forward(self, output: DuDoRNetOutput, full_kspace: Tensor) -> Tensor:
        """Compare all recurrences with the fully sampled k-spaces ``(b, 4, h, w)``; a scalar."""
        kspace = full_kspace[:, 2:4]
        image = complex_to_channels(ifft2c(channels_to_complex(kspace)))
        # the mean over recurrences times their number: the sum of each one's mean
        both = _mean_error(output.images, image) + _mean_error(output.kspaces, kspace)
        return len(output.images) * both


def _mean_error(recurrences: Tensor, target: Tensor) -> Tensor:
    return (recurrences - target).abs().mean()


def _weight(name: str, weight: float) -> float:
    if not isinstance(weight, (int, float)) or not 0 <= weight <= 1:
        raise BundleError(f"The loss weight {name} is a number from 0 to 1, not {weight!r}.")
    return float(weight)
