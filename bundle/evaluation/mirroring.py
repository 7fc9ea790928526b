"""A reconstruction averaged with that of the mirror image: what the two get wrong differently is halved."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from monai.inferers import Inferer
from torch import Tensor

from ..fourier import mirrored
from ..settings import flag

__all__ = ["MirroringInferer"]

_ROWS = (-2,)  # left and right of axial slices


class MirroringInferer(Inferer):
    """Calls another inferer with a network that sees each slice twice, as it is and mirrored, and averages both images.

    For networks trained with such flips, as ``configs/experiments/unrolled.yaml`` trains; twice the time. What it
    gains: docs/README.md.

    Args:
        inferer: called with the volume and the network.
        enabled: whether slices are mirrored; if not, the other inferer is called as it is.

    Raises:
        BundleError: ``enabled`` is neither true nor false.
    """

    def __init__(self, inferer: Inferer, enabled: bool = True) -> None:
        self.inferer = inferer
        self.enabled = flag("mirroring", enabled)

    def __call__(self, inputs: Tensor, network: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
        """What the other inferer returns; ``inputs`` is ``(b, channels, h, w, s)``, centred k-space or images."""

        def averaged(slices: Tensor, *more: Any, **named: Any) -> Any:
            other = network(mirrored(slices, _ROWS), *more, **named)
            return (network(slices, *more, **named) + mirrored(other, _ROWS)) / 2

        return self.inferer(inputs, averaged if self.enabled else network, *args, **kwargs)
