"""DuDoRNet with T1 prior (Zhou and Zhou, CVPR 2020): image and k-space network in turn, recurrently, sharing weights.

Each is followed by hard data consistency: a sampled point of k-space keeps its measured value.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from ..fourier import magnitude_image, to_image, to_kspace
from .attention import ChannelAttention
from .data_consistency import hard_data_consistency
from .inputs import check_input, sampled_points, t1_kspace, t2_kspace

__all__ = ["DilatedResidualDenseNet", "DuDoRNet", "DuDoRNetOutput"]

_DILATIONS = (1, 2, 3, 3)
_FIRST = "image_net.first.weight"


class DuDoRNetOutput(NamedTuple):
    """What the loss looks at, recurrence by recurrence.

    Attributes:
        images: after the image network and data consistency, ``(recurrences, b, 2, h, w)``, real and imaginary part.
        kspaces: of the k-space network, before data consistency, ``(recurrences, b, 2, h, w)``.
        kspace: the final one, data consistent, ``(b, 2, h, w)``.
    """

    images: Tensor
    kspaces: Tensor
    kspace: Tensor


class DuDoRNet(nn.Module):
    """Dual-domain recurrent network, 0.651 M parameters with 32 features.

    Args:
        channels: features and growth of the dense blocks; 32 in that paper.
        recurrences: how often image and k-space network follow each other; 5 in that paper. They share weights.
    """

    def __init__(self, channels: int = 32, recurrences: int = 5) -> None:
        super().__init__()
        self.recurrences = recurrences
        self.image_net = DilatedResidualDenseNet(channels)
        self.kspace_net = DilatedResidualDenseNet(channels)
        for module in self.modules():  # as published: N(0, 0.02), biases as torch draws them
            if isinstance(module, nn.Conv2d):
                nn.init.normal_(module.weight, std=0.02)

    not_in_weights = ("recurrences",)

    @classmethod
    def settings_from(cls, weights: Mapping[str, Tensor]) -> dict[str, Any] | None:
        """What a DuDoRNet was built with, read from its weights; None where they are of another network.

        Its recurrences share their weights, so that their number cannot be told.
        """
        return {"channels": weights[_FIRST].shape[0]} if _FIRST in weights else None

    def forward(self, image: Tensor) -> Tensor:
        """Reconstruct T2.

        Args:
            image: T1 and undersampled T2 k-space, ``(b, 4, h, w)``.

        Returns:
            in eval mode the T2 magnitude image ``(b, 1, h, w)``; in training mode a :class:`DuDoRNetOutput`.
        """
        output = self.run_recurrences(image)
        if self.training and not torch.jit.is_scripting():
            return output  # type: ignore[return-value]
        return magnitude_image(output.kspace)

    def run_recurrences(self, image: Tensor) -> DuDoRNetOutput:
        """All intermediate results, whatever the mode; ``image`` as in :meth:`forward`."""
        check_input(image, "DuDoRNet")
        measured, sampled, t1 = t2_kspace(image), sampled_points(image), t1_kspace(image)
        t1_image = to_image(t1)
        kspace = measured
        images: list[Tensor] = []
        kspaces: list[Tensor] = []
        for _ in range(self.recurrences):
            predicted = self.image_net(torch.cat((to_image(kspace), t1_image), dim=1))
            kspace = hard_data_consistency(to_kspace(predicted), measured, sampled)
            images.append(to_image(kspace))
            kspaces.append(self.kspace_net(torch.cat((kspace, t1), dim=1)))
            kspace = hard_data_consistency(kspaces[-1], measured, sampled)
        return DuDoRNetOutput(torch.stack(images), torch.stack(kspaces), kspace)


class DilatedResidualDenseNet(nn.Module):
    """DRDN: two convolutions, three dense blocks whose outputs are fused, the first feature added, two convolutions.

    Args:
        channels: number of features ``c``.
        blocks: number of dense blocks.
    """

    def __init__(self, channels: int, blocks: int = 3) -> None:
        super().__init__()
        self.first = _convolution(4, channels)
        self.second = _convolution(channels, channels)
        self.blocks = nn.ModuleList(DilatedDenseBlock(channels) for _ in range(blocks))
        self.fusion = nn.Sequential(nn.Conv2d(blocks * channels, channels, 1), _convolution(channels, channels))
        self.head = nn.Sequential(_convolution(channels, channels), _convolution(channels, 2))

    def forward(self, both: Tensor) -> Tensor:
        """T2 and T1, each real and imaginary part, ``(b, 4, h, w)``, to T2, ``(b, 2, h, w)``."""
        first = self.first(both)
        features = self.second(first)
        outputs: list[Tensor] = []
        for block in self.blocks:
            features = block(features)
            outputs.append(features)
        return self.head(self.fusion(torch.cat(outputs, dim=1)) + first)


class DilatedDenseBlock(nn.Module):
    """SEDRDB: densely connected dilated convolutions, 1x1 fusion, squeeze and excitation, residual.

    Args:
        channels: features in and out, and growth of each convolution.
        reduction: of the squeeze and excitation.
    """

    def __init__(self, channels: int, reduction: int = 16) -> None:
        super().__init__()
        self.convs = nn.ModuleList(
            _convolution((number + 1) * channels, channels, dilation) for number, dilation in enumerate(_DILATIONS)
        )
        self.fusion = nn.Conv2d((len(_DILATIONS) + 1) * channels, channels, 1)
        self.attention = ChannelAttention(channels, reduction, nn.AdaptiveAvgPool2d)

    def forward(self, features: Tensor) -> Tensor:
        """``(b, c, h, w)`` to ``(b, c, h, w)``."""
        dense = features
        for conv in self.convs:
            dense = torch.cat((dense, F.relu(conv(dense))), dim=1)
        return self.attention(self.fusion(dense)) + features


def _convolution(in_channels: int, out_channels: int, dilation: int = 1) -> nn.Conv2d:
    """3x3, of the same size in and out."""
    return nn.Conv2d(in_channels, out_channels, 3, padding=dilation, dilation=dilation)
