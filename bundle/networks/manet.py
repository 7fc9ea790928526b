"""MANet: a k-space stage, the inverse FFT, an image stage (Feng et al., arXiv 2110.08080, Sec. IV, Fig. 3a, Eq. 5)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn

from ..errors import BundleError
from ..fourier import magnitude_image
from .attention import order_of
from .dense_unet import GuidedDenseUNet
from .inputs import check_input

__all__ = ["MANet", "MANetOutput"]

_STEM, _ENCODER = "image_stage.t1_stream.stem.weight", "image_stage.t1_stream.encoder."


class MANetOutput(NamedTuple):
    """What the loss of Eq. 6 looks at.

    Attributes:
        t1_kspace: ``(b, 2, h, w)``, real and imaginary part.
        t2_kspace: ``(b, 2, h, w)``.
        t1_image: ``(b, 1, h, w)``, magnitude.
        t2_image: ``(b, 1, h, w)``.
    """

    t1_kspace: Tensor
    t2_kspace: Tensor
    t1_image: Tensor
    t2_image: Tensor


class MANet(nn.Module):
    """Multi-modal aggregation network.

    Args:
        channels: number of features; 64 in the paper (7,283,670 parameters).
        depth: number of poolings; 4 in the paper. Height and width must be divisible by ``2 ** depth``.
        stage: ``"both"``, or ``"image"`` for the paper's ablation without the k-space stage.
        guidance: ``"CS"``, the paper's; ``"SC"``, ``"SC-CS"`` (Table IV), ``"concatenation"`` ("w/o T1-GA", Table III):
            see :class:`~bundle.networks.dense_unet.GuidedDenseUNet`.

    Raises:
        BundleError: unknown stage or guidance, or a size that the poolings do not divide.
    """

    def __init__(self, channels: int = 64, depth: int = 4, stage: str = "both", guidance: str = "CS") -> None:
        super().__init__()
        if stage not in ("both", "image"):
            raise BundleError(f"MANet's stage is 'both' or 'image' (without the k-space stage), not {stage!r}.")
        self.divisor = 2**depth
        self.kspace_stage = GuidedDenseUNet(2, channels, depth, guidance) if stage == "both" else None
        self.image_stage = GuidedDenseUNet(1, channels, depth, guidance)

    @classmethod
    def settings_from(cls, weights: Mapping[str, Tensor]) -> dict[str, Any] | None:
        """What a MANet was built with, read from its weights; None where they are of another network."""
        if _STEM not in weights:
            return None
        return {
            "channels": weights[_STEM].shape[0],
            "depth": len({name.split(".")[3] for name in weights if name.startswith(_ENCODER)}),
            "stage": "both" if any(name.startswith("kspace_stage.") for name in weights) else "image",
            "guidance": order_of(weights, "image_stage.attentions.0.") or "concatenation",
        }

    def forward(self, image: Tensor) -> Tensor:
        """Reconstruct T2.

        Args:
            image: ``(b, 4, h, w)``: T1 k-space, then undersampled T2 k-space, each real and imaginary part, centred.

        Returns:
            In eval mode the T2 magnitude image ``(b, 1, h, w)``; in training mode a :class:`MANetOutput`. (As MONAI's
            DynUNet: a plain one-input, one-output network for inferers and export, and DDP still sees ``forward``.)
        """
        output = self.run_stages(image)
        if self.training and not torch.jit.is_scripting():
            return output  # type: ignore[return-value]
        return output.t2_image

    def run_stages(self, image: Tensor) -> MANetOutput:
        """Both k-spaces and both images, whatever the mode; ``image`` as in :meth:`forward`."""
        check_input(image, "MANet", self.divisor)
        t1_kspace, t2_kspace = image[:, 0:2], image[:, 2:4]
        if self.kspace_stage is not None:
            t1_kspace, t2_kspace = self.kspace_stage(t1_kspace, t2_kspace)
        t1_image, t2_image = self.image_stage(magnitude_image(t1_kspace), magnitude_image(t2_kspace))
        return MANetOutput(t1_kspace, t2_kspace, t1_image, t2_image)
