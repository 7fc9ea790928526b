"""UNet-T2, the paper's single-modality comparison: fastMRI's U-Net on the zero-filled T2 image; T1 is not looked at.

MONAI's ``BasicUNet`` cannot be made equal by arguments: it pools by the maximum and leaves norm and activation off its
transposed convolutions.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from .inputs import check_input, t2_magnitude

__all__ = ["UNetT2"]

_FIRST = "encoder.0.0.weight"


class UNetT2(nn.Module):
    """fastMRI's U-Net (Zbontar et al., arXiv 1811.08839) from zero-filled to fully sampled T2 magnitude.

    As in fastMRI's pipeline each slice is given zero mean and unit standard deviation, which is undone in the output.

    Args:
        channels: features of the first level, doubled at each pooling; 32 in the paper (7,756,097 parameters).
        poolings: 4 in the paper. Height and width must be divisible by ``2 ** poolings``.
    """

    def __init__(self, channels: int = 32, poolings: int = 4) -> None:
        super().__init__()
        self.divisor = 2**poolings
        widths = [channels * 2**level for level in range(poolings + 1)]
        self.encoder = nn.ModuleList(_convolutions(a, b) for a, b in zip([1, *widths], widths[:-1]))
        self.bottom = _convolutions(widths[-2], widths[-1])
        self.ups = nn.ModuleList(_upsampling(2 * width, width) for width in reversed(widths[:-1]))
        self.decoder = nn.ModuleList(_convolutions(2 * width, width) for width in reversed(widths[:-1]))
        self.head = nn.Conv2d(channels, 1, 1)

    @classmethod
    def settings_from(cls, weights: Mapping[str, Tensor]) -> dict[str, Any] | None:
        """What a UNetT2 was built with, read from its weights; None where they are of another network."""
        if _FIRST not in weights:
            return None
        poolings = len({name.split(".")[1] for name in weights if name.startswith("encoder.")})
        return {"channels": weights[_FIRST].shape[0], "poolings": poolings}

    def forward(self, image: Tensor) -> Tensor:
        """T1 and undersampled T2 k-space ``(b, 4, h, w)`` to the T2 magnitude image ``(b, 1, h, w)``."""
        check_input(image, "UNetT2", self.divisor)
        zero_filled = t2_magnitude(image)
        mean = zero_filled.mean(dim=(-2, -1), keepdim=True)
        std = zero_filled.std(dim=(-2, -1), keepdim=True) + 1e-11  # an empty slice has none
        features = (zero_filled - mean) / std
        skips: list[Tensor] = []
        for level in self.encoder:
            features = level(features)
            skips.append(features)
            features = F.avg_pool2d(features, 2)
        features = self.bottom(features)
        for up, level in zip(self.ups, self.decoder):
            features = level(torch.cat((up(features), skips.pop()), dim=1))
        return self.head(features) * std + mean


def _convolutions(in_channels: int, out_channels: int) -> nn.Sequential:
    """Two 3x3 convolutions, each with instance norm and leaky ReLU."""
    layers: list[nn.Module] = []
    for width in (in_channels, out_channels):
        layers += [nn.Conv2d(width, out_channels, 3, padding=1, bias=False), *_normalised(out_channels)]
    return nn.Sequential(*layers)


def _upsampling(in_channels: int, out_channels: int) -> nn.Sequential:
    return nn.Sequential(
        nn.ConvTranspose2d(in_channels, out_channels, 2, stride=2, bias=False), *_normalised(out_channels)
    )


def _normalised(channels: int) -> tuple[nn.Module, nn.Module]:
    return nn.InstanceNorm2d(channels), nn.LeakyReLU(0.2, inplace=True)
