"""An unrolled network: a learned correction of the complex T2 image and a step of data consistency, in turn.

Each cascade sees the current image, the zero-filled one, T1's magnitude, and a few channels of the cascade before; the
images without their smooth phase, which data consistency keeps.
After Schlemper et al., IEEE TMI 2018, and Hammernik et al., MRM 2018; here with T1 beside.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn

from ..errors import BundleError
from ..fourier import magnitude, to_image
from .attention import order_of
from .data_consistency import SoftDataConsistency, measured_noise
from .inputs import check_input, sampled_points, t1_magnitude, t2_kspace
from .residual_unet import ResidualUNet, T1Guide
from .smooth_phase import smooth_phase, turned

__all__ = ["Unrolled"]

_IMAGES = 5  # current and zero-filled image, two channels each, and T1's magnitude
_T1 = 4  # the channel of T1's magnitude
_STEM, _ATTENTIONS = "regularisers.0.stem.weight", "regularisers.0.guide.attentions.0."
_NORM = "regularisers.0.bottom.norm.weight"


class Unrolled(nn.Module):
    """Unrolled guided reconstruction; with the defaults 1.2 million parameters.

    Args:
        cascades: number of corrections, each with weights of its own.
        widths: features of each level of a cascade's U-Net. Height and width must be divisible by
            ``2 ** len(widths)``.
        memory: channels that one cascade hands on to the next beside the image.
        regulariser: makes a cascade's network, ``regulariser(in_channels, out_channels)``, for images
            ``(b, in_channels, h, w)`` to ``(b, out_channels, h, w)``; None: a :class:`ResidualUNet` of ``widths``.
        guidance: how T1 enters that U-Net: ``"concatenation"``, one of its images; or an order of MANet's attentions,
            such as ``"CS"``, which modulate its features beside (:class:`~bundle.networks.residual_unet.T1Guide`).
        instance_norm: whether the blocks of that U-Net normalise their features
            (:class:`~bundle.networks.residual_unet.ResidualBlock`).

    Raises:
        BundleError: unknown guidance, or one of the last two for a ``regulariser`` of one's own.
    """

    def __init__(
        self,
        cascades: int = 5,
        widths: Sequence[int] = (32, 48, 64),
        memory: int = 4,
        regulariser: Callable[[int, int], nn.Module] | None = None,
        guidance: str = "concatenation",
        instance_norm: bool = False,
    ) -> None:
        super().__init__()
        self.divisor = 2 ** len(widths)
        self.memory = memory
        own = partial(_regulariser, widths=widths, guidance=guidance, instance_norm=instance_norm)
        if regulariser is not None and (guidance != "concatenation" or instance_norm):
            asked = "instance_norm" if instance_norm else f"guidance {guidance!r}"
            raise BundleError(f"{asked} is of Unrolled's own U-Net; leave it out, or the regulariser.")
        make = own if regulariser is None else regulariser
        self.regularisers = nn.ModuleList(make(_IMAGES + memory, 2 + memory) for _ in range(cascades))
        self.consistencies = nn.ModuleList(SoftDataConsistency() for _ in range(cascades))

    @classmethod
    def settings_from(cls, weights: Mapping[str, Tensor]) -> dict[str, Any] | None:
        """What an Unrolled was built with, read from its weights; None where they are of another network."""
        if _STEM not in weights:
            return None
        downs = sorted(name for name in weights if name.startswith("regularisers.0.downs.") and name.endswith("weight"))
        widths = [weights[_STEM].shape[0], *(weights[name].shape[0] for name in downs)]
        cascades = len({name.split(".")[1] for name in weights if name.startswith("regularisers.")})
        settings = {"cascades": cascades, "widths": widths, "memory": weights[_STEM].shape[1] // 4 - _IMAGES}
        guidance = order_of(weights, _ATTENTIONS) or "concatenation"
        return settings | {"guidance": guidance, "instance_norm": _NORM in weights}

    def forward(self, image: Tensor) -> Tensor:
        """T1 and undersampled T2 k-space ``(b, 4, h, w)`` to the T2 magnitude image ``(b, 1, h, w)``."""
        return magnitude(self.reconstruct(image))

    def reconstruct(self, image: Tensor) -> Tensor:
        """The complex T2 image as two channels, ``(b, 2, h, w)``; ``image`` as in :meth:`forward`."""
        check_input(image, "Unrolled", self.divisor)
        measured, sampled, t1 = t2_kspace(image), sampled_points(image), t1_magnitude(image)
        noise = measured_noise(measured, sampled)
        phase, current = smooth_phase(measured), to_image(measured)
        zero_filled = turned(current, phase, back=True)
        memory = torch.zeros_like(image[:, :1]).expand(-1, self.memory, -1, -1)
        for regulariser, consistency in zip(self.regularisers, self.consistencies):
            seen = turned(current, phase, back=True)
            change = regulariser(torch.cat((seen, zero_filled, t1, memory), dim=1)).float()
            current = consistency(current + turned(change[:, :2], phase), measured, sampled, noise)
            memory = change[:, 2:]
        return current


def _regulariser(
    in_channels: int, out_channels: int, widths: Sequence[int], guidance: str, instance_norm: bool
) -> nn.Module:
    """A U-Net that sees T1, and whose features attention on T1 modulates if ``guidance`` is an order of attentions."""
    guide = None if guidance == "concatenation" else T1Guide(_T1, widths, guidance)
    return ResidualUNet(in_channels, out_channels, widths, guide, instance_norm)
