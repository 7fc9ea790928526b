"""A small U-Net of residual blocks at half resolution: the regulariser of one cascade."""

from __future__ import annotations

from collections.abc import Sequence

from torch import Tensor, nn
from torch.nn import functional as F

from .attention import T1GuidedAttention

__all__ = ["ResidualBlock", "ResidualUNet", "T1Guide"]


class ResidualBlock(nn.Module):
    """Two 3x3 convolutions with a GELU between them, added to their input, which keeps its intensities.

    Args:
        channels: number of features in and out.
        instance_norm: whether each feature is brought to mean 0 and standard deviation 1 before the GELU.
    """

    def __init__(self, channels: int, instance_norm: bool = False) -> None:
        super().__init__()
        self.first = nn.Conv2d(channels, channels, 3, padding=1)
        self.norm = nn.InstanceNorm2d(channels, affine=True) if instance_norm else nn.Identity()
        self.second = nn.Conv2d(channels, channels, 3, padding=1)

    def forward(self, features: Tensor) -> Tensor:
        """``(b, c, h, w)`` to ``(b, c, h, w)``."""
        return features + self.second(F.gelu(self.norm(self.first(features))))


class ResidualUNet(nn.Module):
    """Features are computed at half resolution, where a convolution costs a quarter: pixel unshuffle by 2 before, and
    shuffle after. The output starts at zero: an untrained cascade changes nothing.

    Args:
        in_channels, out_channels: of the images, at full resolution.
        widths: number of features of each level, each at half the resolution of the one before.
        guide: modulates the features of each level on the way down (Eq. 15); None: the images alone guide.
        instance_norm: of its :class:`ResidualBlock`.
    """

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        widths: Sequence[int] = (32, 48, 64),
        guide: T1Guide | None = None,
        instance_norm: bool = False,
    ) -> None:
        super().__init__()
        self.guide = guide
        self.stem = nn.Conv2d(4 * in_channels, widths[0], 3, padding=1)
        self.encoder = nn.ModuleList(ResidualBlock(width, instance_norm) for width in widths[:-1])
        self.downs = nn.ModuleList(nn.Conv2d(a, b, 2, stride=2) for a, b in zip(widths, widths[1:]))
        self.bottom = ResidualBlock(widths[-1], instance_norm)
        upwards = list(zip(widths, widths[1:]))[::-1]
        self.ups = nn.ModuleList(nn.ConvTranspose2d(b, a, 2, stride=2) for a, b in upwards)
        self.decoder = nn.ModuleList(ResidualBlock(width, instance_norm) for width, _ in upwards)
        self.head = nn.Conv2d(widths[0], 4 * out_channels, 3, padding=1)
        nn.init.zeros_(self.head.weight)
        nn.init.zeros_(self.head.bias)  # type: ignore[arg-type]

    def forward(self, images: Tensor) -> Tensor:
        """``(b, in_channels, h, w)`` to ``(b, out_channels, h, w)``; h and w divisible by ``2 ** len(widths)``."""
        guides: list[Tensor] = []
        if self.guide is not None:
            guides = self.guide(images)
        features = self.stem(F.pixel_unshuffle(images, 2))
        skips: list[Tensor] = []
        for block, down in zip(self.encoder, self.downs):
            features = _modulated(block(features), guides, len(skips))
            skips.append(features)
            features = down(features)
        features = _modulated(self.bottom(features), guides, len(skips))
        for up, block in zip(self.ups, self.decoder):
            features = block(up(features) + skips.pop())
        return F.pixel_shuffle(self.head(features), 2)


class T1Guide(nn.Module):
    """MANet's attention on features of T1 (Eqs. 8-14), at each level of a :class:`ResidualUNet` on its way down.

    Args:
        channel: of the images, where T1's magnitude stands.
        widths: of the U-Net.
        order: of the attentions, see :class:`~bundle.networks.attention.T1GuidedAttention`.
    """

    def __init__(self, channel: int, widths: Sequence[int], order: str = "CS") -> None:
        super().__init__()
        self.channel = channel
        downs = (nn.Conv2d(a, b, 2, stride=2) for a, b in zip(widths, widths[1:]))
        self.steps = nn.ModuleList([nn.Conv2d(4, widths[0], 3, padding=1), *downs])
        self.blocks = nn.ModuleList(ResidualBlock(width) for width in widths)
        self.attentions = nn.ModuleList(T1GuidedAttention(width, order) for width in widths)

    def forward(self, images: Tensor) -> list[Tensor]:
        """``(b, in_channels, h, w)`` to what modulates each level, shaped as its features."""
        features = F.pixel_unshuffle(images[:, self.channel : self.channel + 1], 2)
        guides: list[Tensor] = []
        for step, block, attention in zip(self.steps, self.blocks, self.attentions):
            features = block(step(features))
            guides.append(attention(features))
        return guides


def _modulated(features: Tensor, guides: list[Tensor], level: int) -> Tensor:
    """``f * g + f`` (Eq. 15), where there are guides."""
    return features * guides[level] + features if guides else features
