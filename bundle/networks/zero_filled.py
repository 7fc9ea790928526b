"""Zero filling: the inverse FFT of what was sampled, as a network without parameters."""

from __future__ import annotations

from torch import Tensor, nn

from .inputs import check_input, t2_magnitude

__all__ = ["ZeroFilled"]


class ZeroFilled(nn.Module):
    """The zero-filled T2 magnitude image."""

    def forward(self, image: Tensor) -> Tensor:
        """T1 and undersampled T2 k-space ``(b, 4, h, w)`` to the T2 image ``(b, 1, h, w)``."""
        check_input(image, "ZeroFilled")
        return t2_magnitude(image)
