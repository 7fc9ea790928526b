"""Modulation of T1 features: the paper's channel, then spatial attention (Sec. IV-C, Eqs. 8-14, Fig. 4)."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial

import torch
from torch import Tensor, nn

from ..errors import BundleError

__all__ = ["ATTENTION_ORDERS", "ChannelAttention", "SpatialAttention", "T1GuidedAttention", "order_of"]

ATTENTION_ORDERS = ("CS", "SC", "SC-CS")


class ChannelAttention(nn.Module):
    """Weigh each channel by what it holds anywhere in the image (Eqs. 10-12).

    The paper's text says average pooling, its Eq. 10 and the published code say max pooling: the equation holds here.

    Args:
        channels: number of features ``c``.
        reduction: the paper's ratio ``r`` between ``c`` and the hidden layer's width.
        pooling: makes the module that pools each channel to one value; its average is squeeze and excitation.
    """

    def __init__(
        self, channels: int, reduction: int = 16, pooling: Callable[[int], nn.Module] = nn.AdaptiveMaxPool2d
    ) -> None:
        super().__init__()
        hidden = max(channels // reduction, 1)
        self.weigh = nn.Sequential(
            pooling(1),
            nn.Conv2d(channels, hidden, 1, bias=False),
            nn.ReLU(),
            nn.Conv2d(hidden, channels, 1, bias=False),
            nn.Sigmoid(),
        )

    def forward(self, features: Tensor) -> Tensor:
        """``(b, c, h, w)`` to ``(b, c, h, w)``."""
        return features * self.weigh(features)


class SpatialAttention(nn.Module):
    """Weigh each position by the largest feature around it (Eqs. 13-14).

    Args:
        kernel_size: of the convolution over the map of maxima; 7 in the paper.
    """

    def __init__(self, kernel_size: int = 7) -> None:
        super().__init__()
        self.conv = nn.Conv2d(1, 1, kernel_size, padding=kernel_size // 2, bias=False)

    def forward(self, features: Tensor) -> Tensor:
        """``(b, c, h, w)`` to ``(b, c, h, w)``."""
        strongest = features.amax(dim=1, keepdim=True)
        return features * torch.sigmoid(self.conv(strongest))


class T1GuidedAttention(nn.Sequential):
    """``f_T1`` to ``f_T1^s``: attentions one after the other.

    The fusion with the T2 features, Eq. 15, is the part of :class:`~bundle.networks.dense_unet.DenseUNetStream`.

    Args:
        channels: number of features.
        order: ``"CS"``, channel, then spatial, is the paper's choice in Table IV, which also has ``"SC"`` and
            ``"SC-CS"``, here one after the other.

    Raises:
        BundleError: unknown order.
    """

    def __init__(self, channels: int, order: str = "CS") -> None:
        if order not in ATTENTION_ORDERS:
            raise BundleError(
                f"The guidance is an order of attentions, {', '.join(ATTENTION_ORDERS)}, or concatenation; "
                f"not {order!r}."
            )
        modules: dict[str, Callable[[], nn.Module]] = {"C": partial(ChannelAttention, channels), "S": SpatialAttention}
        super().__init__(*(modules[letter]() for letter in order.replace("-", "")))


def order_of(weights: Mapping[str, Tensor], prefix: str) -> str | None:
    """The order of a :class:`T1GuidedAttention` among a network's weights; None where there is no attention.

    Args:
        weights: of the network, by name.
        prefix: what the names of the attention's weights begin with, a dot at its end.
    """
    numbers = {name.removeprefix(prefix).partition(".")[0] for name in weights if name.startswith(prefix)}
    letters = "".join("C" if f"{prefix}{number}.weigh.1.weight" in weights else "S" for number in sorted(numbers))
    return next((order for order in ATTENTION_ORDERS if order.replace("-", "") == letters), None)
