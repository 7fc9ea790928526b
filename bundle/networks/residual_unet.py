"""A small U-Net of residual blocks at half resolution: the regulariser of one cascade."""

from __future__ import annotations

from collections.abc import Sequence

from torch import Tensor, nn
from torch.nn import functional as F

__all__ = ["ResidualBlock", "ResidualUNet"]


class ResidualBlock(nn.Module):
    """Two 3x3 convolutions with a GELU between them, added to their input; no norm, so that intensities are kept.

    Args:
        channels: number of features in and out.
    """

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.first = nn.Conv2d(channels, channels, 3, padding=1)
        self.second = nn.Conv2d(channels, channels, 3, padding=1)

    def forward(self, features: Tensor) -> Tensor:
        """``(b, c, h, w)`` to ``(b, c, h, w)``."""
        return features + self.second(F.gelu(self.first(features)))


class ResidualUNet(nn.Module):
    """Features are computed at half resolution, where a convolution costs a quarter: pixel unshuffle by 2 before, and
    shuffle after. The output starts at zero: an untrained cascade changes nothing.

    Args:
        in_channels, out_channels: of the images, at full resolution.
        widths: number of features of each level, each at half the resolution of the one before.
    """

    def __init__(self, in_channels: int, out_channels: int, widths: Sequence[int] = (32, 48, 64)) -> None:
        super().__init__()
        self.stem = nn.Conv2d(4 * in_channels, widths[0], 3, padding=1)
        self.encoder = nn.ModuleList(ResidualBlock(width) for width in widths[:-1])
        self.downs = nn.ModuleList(nn.Conv2d(a, b, 2, stride=2) for a, b in zip(widths, widths[1:]))
        self.bottom = ResidualBlock(widths[-1])
        upwards = list(zip(widths, widths[1:]))[::-1]
        self.ups = nn.ModuleList(nn.ConvTranspose2d(b, a, 2, stride=2) for a, b in upwards)
        self.decoder = nn.ModuleList(ResidualBlock(width) for width, _ in upwards)
        self.head = nn.Conv2d(widths[0], 4 * out_channels, 3, padding=1)
        nn.init.zeros_(self.head.weight)
        nn.init.zeros_(self.head.bias)  # type: ignore[arg-type]

    def forward(self, images: Tensor) -> Tensor:
        """``(b, in_channels, h, w)`` to ``(b, out_channels, h, w)``; h and w divisible by ``2 ** len(widths)``."""
        features = self.stem(F.pixel_unshuffle(images, 2))
        skips: list[Tensor] = []
        for block, down in zip(self.encoder, self.downs):
            features = block(features)
            skips.append(features)
            features = down(features)
        features = self.bottom(features)
        for up, block in zip(self.ups, self.decoder):
            features = block(up(features) + skips.pop())
        return F.pixel_shuffle(self.head(features), 2)
