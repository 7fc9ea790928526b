"""What T1 can be registered to where the zero-filled image shows too little: a reconstruction without T1."""

from __future__ import annotations

import logging
import zlib
from collections.abc import Callable, Sequence
from typing import Any

import torch
from monai.inferers import Inferer
from monai.networks.utils import eval_mode
from torch import Tensor, nn

from ..acquisition import Acquired, AcquiredImaged, Acquisition

__all__ = ["UnguidedImaged"]

_logger = logging.getLogger(__name__)


class UnguidedImaged(AcquiredImaged):
    """Add ``reconstruction``, what the network makes of a volume's scan when it is not shown T1.

    It has less noise and aliasing than the zero-filled image, and nothing of a T1 that lies elsewhere, to which a
    registration would return. The network has to be one that was trained on missing T1, too
    (:class:`~bundle.acquisition.ImperfectGuide`).

    Args:
        network: gives the network with its weights (:func:`bundle.settings.merged.later`); they are part of the cache's
            key.
        inferer: reconstructs a volume ``(1, 4, h, w, s)`` slice by slice.
        device: where the network computes.
        acquisition, image_size, seed, key, output_key: as in :class:`~bundle.acquisition.AcquiredImaged`.
    """

    def __init__(
        self,
        network: Callable[[], nn.Module],
        inferer: Inferer,
        device: torch.device | str,
        acquisition: Acquisition,
        image_size: int | Sequence[int] | str | None = 256,
        seed: int = 0,
        key: str = "t2",
        output_key: str = "reconstruction",
    ) -> None:
        super().__init__(acquisition, image_size, seed, key, output_key)
        self.network = network
        self.inferer = inferer
        self.device = device

    def image_of(self, acquired: Acquired) -> Tensor:
        """The reconstruction ``(s, h, w)`` of a scan of T2 alone, in the units of the T2 image."""
        _logger.info("Reconstructing without T1, to register T1 to it: of use with weights trained on missing T1, too.")
        image = acquired.image.movedim(0, -1)[None].to(self.device)
        network = self.network()
        with eval_mode(network):
            reconstructed = self.inferer(image, network)
        return reconstructed[0, 0].float().cpu().movedim(-1, 0) * acquired.scale

    def __getstate__(self) -> dict[str, Any]:
        """What the cache's key is made of: of the network its class, its weights, and what they do not tell."""
        network, checksum = self.network(), 0
        for weight in network.state_dict().values():
            checksum = zlib.crc32(weight.cpu().contiguous().numpy().tobytes(), checksum)
        untold = {name: getattr(network, name) for name in getattr(network, "not_in_weights", ())}
        computes = {"network": type(network).__name__, "weights": checksum, "untold": untold}
        return self.__dict__ | computes | {"inferer": _switches(self.inferer), "device": None}


def _switches(inferer: Inferer | None) -> list[dict[str, bool]]:
    """What each of the inferers that are one in the other has on or off, such as mirroring and mixed precision."""
    if inferer is None:
        return []
    own = {name: value for name, value in vars(inferer).items() if isinstance(value, bool)}
    return [own, *_switches(getattr(inferer, "inferer", None))]
