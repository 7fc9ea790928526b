"""One stage of MANet (Fig. 3b): two Dense-UNet streams, the T1 stream guiding the T2 stream at every level."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from .attention import T1GuidedAttention
from .fusion import Concatenation, Modulation, Unguided

__all__ = ["DenseBlock", "UpBlock", "DenseUNetStream", "GuidedDenseUNet"]


class DenseBlock(nn.Module):
    """Convolutions of one level, each also given the sum of what came before its own input.

    Args:
        channels: number of features in and out.
        convolutions: how many 3x3 convolutions; 4 in the paper.
    """

    def __init__(self, channels: int, convolutions: int = 4) -> None:
        super().__init__()
        self.convs = nn.ModuleList(nn.Conv2d(channels, channels, 3, padding=1) for _ in range(convolutions))
        self.norms = nn.ModuleList(nn.BatchNorm2d(channels) for _ in range(convolutions))

    def forward(self, features: Tensor) -> Tensor:
        """``(b, c, h, w)`` to ``(b, c, h, w)``."""
        earlier: Tensor | None = None
        previous: Tensor | None = None
        for conv, norm in zip(self.convs, self.norms):
            output = conv(features)
            if previous is not None:
                earlier = previous if earlier is None else earlier + previous
                output += earlier
            previous = features
            features = F.relu(norm(output), inplace=True)
        return features


class UpBlock(nn.Module):
    """Twice the resolution: 4x4 transposed convolution, with ``skip`` the encoder's features, 3x3 convolution.

    Args:
        channels: number of features in and out.
        skip: whether the encoder's features of the same level are concatenated.
    """

    def __init__(self, channels: int, skip: bool) -> None:
        super().__init__()
        self.skip = skip
        self.upsample = nn.ConvTranspose2d(channels, channels, 4, stride=2, padding=1)
        self.conv = nn.Conv2d(2 * channels if skip else channels, channels, 3, padding=1)
        self.norm = nn.BatchNorm2d(channels)

    def forward(self, features: Tensor, encoded: Tensor) -> Tensor:
        """``(b, c, h, w)`` and the encoder's ``(b, c, 2h, 2w)`` to ``(b, c, 2h, 2w)``."""
        features = self.upsample(features)
        if self.skip:
            features = torch.cat((features, encoded), dim=1)
        return F.relu(self.norm(self.conv(features)), inplace=True)


class DenseUNetStream(nn.Module):
    """The Dense-UNet of one modality.

    Its *levels* are counted down the encoder, after each pooling, and on up the decoder: ``2 * depth`` of them, where
    one modality guides the other.

    Args:
        in_channels: channels of the input.
        out_channels: channels of the output.
        channels: number of features, the same at every level.
        depth: number of poolings.
        skip: whether the decoder sees the encoder's features (published code: the T2 stream does, the T1 stream not).
        fusion: makes what a level's features and its guide become one with (:mod:`bundle.networks.fusion`).
    """

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        channels: int,
        depth: int,
        skip: bool,
        fusion: Callable[[], nn.Module] = Unguided,
    ) -> None:
        super().__init__()
        self.stem = nn.Conv2d(in_channels, channels, 1)
        self.encoder = nn.ModuleList(DenseBlock(channels) for _ in range(depth))
        self.pool = nn.MaxPool2d(2)
        self.bottom = DenseBlock(channels)
        self.ups = nn.ModuleList(UpBlock(channels, skip) for _ in range(depth))
        self.decoder = nn.ModuleList(DenseBlock(channels) for _ in range(depth))
        self.encoder_fusions = nn.ModuleList(fusion() for _ in range(depth))
        self.decoder_fusions = nn.ModuleList(fusion() for _ in range(depth))
        self.head = nn.Conv2d(channels, out_channels, 1)

    def forward(self, image: Tensor, guides: list[Tensor]) -> tuple[Tensor, list[Tensor]]:
        """Run the stream.

        Args:
            image: ``(b, in_channels, h, w)``.
            guides: one tensor a level, shaped as that level's features; an empty list for an unguided stream.

        Returns:
            ``(b, out_channels, h, w)``, and the features of each level.
        """
        features = self.stem(image)
        encoded: list[Tensor] = []
        levels: list[Tensor] = []
        for block, fuse in zip(self.encoder, self.encoder_fusions):
            encoded.append(block(features))
            features = fuse(self.pool(encoded[-1]), guides, len(levels))
            levels.append(features)
        features = self.bottom(features)
        for up, block, fuse in zip(self.ups, self.decoder, self.decoder_fusions):
            features = fuse(block(up(features, encoded.pop())), guides, len(levels))
            levels.append(features)
        return self.head(features), levels


class GuidedDenseUNet(nn.Module):
    """One stage of MANet: the T1 stream runs by itself, its attended features guide the T2 stream.

    As in the published code the T2 stream is given both inputs, T2 first.

    Args:
        modality_channels: channels of each modality, in and out: 2 in k-space (real, imaginary), 1 for magnitudes.
        channels: number of features; 64 in the paper.
        depth: number of poolings; 4 in the paper.
        guidance: the order of T1's attentions, ``"CS"`` in the paper (Eqs. 8-15); or ``"concatenation"``, its ablation
            "w/o T1-GA": T1's features, not attended, concatenated with T2's.
    """

    def __init__(self, modality_channels: int, channels: int = 64, depth: int = 4, guidance: str = "CS") -> None:
        super().__init__()
        attended = guidance != "concatenation"
        attention = partial(T1GuidedAttention, channels, guidance) if attended else nn.Identity
        fusion = Modulation if attended else partial(Concatenation, channels)
        self.t1_stream = DenseUNetStream(modality_channels, modality_channels, channels, depth, skip=False)
        self.t2_stream = DenseUNetStream(2 * modality_channels, modality_channels, channels, depth, True, fusion)
        self.attentions = nn.ModuleList(attention() for _ in range(2 * depth))

    def forward(self, t1: Tensor, t2: Tensor) -> tuple[Tensor, Tensor]:
        """Both modalities ``(b, modality_channels, h, w)`` in, both out."""
        no_guides: list[Tensor] = []
        t1_output, t1_levels = self.t1_stream(t1, no_guides)
        guides: list[Tensor] = []
        for level, attention in enumerate(self.attentions):
            guides.append(attention(t1_levels[level]))
        t2_output, _ = self.t2_stream(torch.cat((t2, t1), dim=1), guides)
        return t1_output, t2_output
