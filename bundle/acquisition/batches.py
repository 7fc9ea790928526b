"""What MONAI's engines take from a batch: the network's input, and the target that loss or metrics compare with.

The engines call the second one ``label``, whatever it is. Here it has the name of what it is: in training
``full_kspace``, both contrasts' k-spaces that Eq. 6 needs; in evaluation ``reference``, the T2 volume.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from monai.engines import PrepareBatch
from torch import Tensor

__all__ = ["PrepareBatchWithTarget"]


class PrepareBatchWithTarget(PrepareBatch):
    """``image``, and the entry that the engine is to call ``label``.

    Args:
        target: key of the batch, such as ``"full_kspace"`` or ``"reference"``.
    """

    def __init__(self, target: str) -> None:
        self.target = target

    def __call__(
        self,
        batchdata: Mapping[str, Tensor],
        device: str | torch.device | None = None,
        non_blocking: bool = False,
        **kwargs: Any,
    ) -> tuple[Tensor, Tensor]:
        """Both tensors, on the engine's device."""
        image, target = (
            batchdata[key].to(device=device, non_blocking=non_blocking, **kwargs) for key in ("image", self.target)
        )
        return image, target
