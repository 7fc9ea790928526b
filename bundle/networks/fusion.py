"""How the features of one modality and those that guide it become one, at each level of a Dense-UNet.

Each module takes a level's features ``(b, c, h, w)``, all guides, one a level and shaped alike, and the level's number.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

__all__ = ["Concatenation", "Modulation", "Unguided"]


class Unguided(nn.Module):
    """A stream by itself: features stay as they are."""

    def forward(self, features: Tensor, guides: list[Tensor], level: int) -> Tensor:
        """The features."""
        return features


class Modulation(nn.Module):
    """The paper's fusion, ``f * g + f`` (Eq. 15)."""

    def forward(self, features: Tensor, guides: list[Tensor], level: int) -> Tensor:
        """``(b, c, h, w)``."""
        return features * guides[level] + features


class Concatenation(nn.Module):
    """Features and guide concatenated, then a 1x1 convolution back to as many features.

    Args:
        channels: number of features ``c``.
    """

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.conv = nn.Conv2d(2 * channels, channels, 1)

    def forward(self, features: Tensor, guides: list[Tensor], level: int) -> Tensor:
        """``(b, c, h, w)``."""
        return self.conv(torch.cat((features, guides[level]), dim=1))
