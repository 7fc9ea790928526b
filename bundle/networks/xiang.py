"""Xiang-style early fusion: T1 and zero-filled T2 image stacked as two channels of one Dense-UNet.

After Xiang et al., "Deep-learning-based multi-modal fusion for fast MR reconstruction", TBME 2019. That paper's layers
are not all known; this one is built from MANet's own stream, so that the two differ in where modalities meet alone.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor, nn

from .dense_unet import DenseUNetStream
from .inputs import check_input, t1_magnitude, t2_magnitude

__all__ = ["Xiang"]

_STEM = "stream.stem.weight"


class Xiang(nn.Module):
    """One Dense-UNet on two images.

    Args:
        channels: number of features; 64 in the paper (1.89 M parameters).
        depth: number of poolings. Height and width must be divisible by ``2 ** depth``.
    """

    def __init__(self, channels: int = 64, depth: int = 4) -> None:
        super().__init__()
        self.divisor = 2**depth
        self.stream = DenseUNetStream(2, 1, channels, depth, skip=True)

    @classmethod
    def settings_from(cls, weights: Mapping[str, Tensor]) -> dict[str, Any] | None:
        """What a Xiang was built with, read from its weights; None where they are of another network."""
        if _STEM not in weights:
            return None
        depth = len({name.split(".")[2] for name in weights if name.startswith("stream.encoder.")})
        return {"channels": weights[_STEM].shape[0], "depth": depth}

    def forward(self, image: Tensor) -> Tensor:
        """T1 and undersampled T2 k-space ``(b, 4, h, w)`` to the T2 image ``(b, 1, h, w)``."""
        check_input(image, "Xiang", self.divisor)
        no_guides: list[Tensor] = []
        output, _ = self.stream(torch.cat((t2_magnitude(image), t1_magnitude(image)), dim=1), no_guides)
        return output
