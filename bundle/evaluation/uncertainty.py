"""A standard deviation beside each reconstructed voxel, by the scan, what T1 changes, and a calibration."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Mapping, Sequence

import torch
from monai.inferers import Inferer
from monai.networks.utils import eval_mode
from monai.transforms import Transform
from torch import Tensor, nn

from .calibration import Calibration, calibration_of
from .spreads import Scanned, squared_spreads

__all__ = ["Uncertaintyd", "reconstruction_by"]


class Uncertaintyd(Transform):
    """Add ``uncertainty``, ``(1, h, w, s)``: the standard deviation of ``pred``, in its units.

    The calibration's interval (:func:`~bundle.evaluation.calibration.half_width`) is so many of them to each side. It
    costs one more reconstruction (``without_t1`` of :mod:`bundle.evaluation.spreads`), and of T2 alone none.

    Args:
        calibrations: of the network's weights (:func:`~bundle.evaluation.read_calibrations`); none adds nothing.
        network: with its weights.
        inferer: reconstructs a volume ``(1, 4, h, w, s)`` slice by slice.
        device: where the network computes.
    """

    def __init__(
        self, calibrations: Sequence[Calibration], network: nn.Module, inferer: Inferer, device: torch.device | str
    ) -> None:
        self.calibrations = calibrations
        self.network = network
        self.inferer = inferer
        self.device = device

    def __call__(self, data: Mapping[Hashable, Tensor]) -> dict[Hashable, Tensor]:
        """Take ``image`` (4, h, w, s), ``pred`` (1, h, w, s), as the network gives it, and ``mask`` (h, w)."""
        if not self.calibrations:
            return dict(data)
        calibration = calibration_of(self.calibrations, data["image"])
        image, found = (torch.as_tensor(data[key]).to(self.device).movedim(-1, 0) for key in ("image", "pred"))
        reconstruct = reconstruction_by(self.network, self.inferer)
        scanned = Scanned(reconstruct, image, data["mask"].to(self.device), found.float())
        deviation = calibration.deviation(squared_spreads(scanned, calibration.spreads))
        return {**data, "uncertainty": deviation.movedim(0, -1)}


def reconstruction_by(network: nn.Module, inferer: Inferer) -> Callable[[Tensor], Tensor]:
    """What takes k-spaces ``(s, 4, h, w)`` to images ``(s, 1, h, w)``, float32."""

    def reconstruct(image: Tensor) -> Tensor:
        with eval_mode(network):
            return inferer(image.movedim(0, -1)[None], network)[0].float().movedim(-1, 0)

    return reconstruct
