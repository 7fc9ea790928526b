"""The scan of one pair that was aligned in memory, for whoever serves single requests: no data set, no file is made."""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from copy import deepcopy
from dataclasses import dataclass, field
from typing import Any

from monai.transforms import Transform
from torch import Tensor

from ..data import Place, output_stem, volume_name
from .datasets import VolumeDataset
from .scan import Acquisition

__all__ = ["ScanPaird"]

_STACKS = ("t1", "t2", "acquired", "reconstruction")  # of the preparation; the scan takes their place


@dataclass(frozen=True)
class _AlignedPair:
    """What a data set wants of a prepared volume."""

    name: str
    stacks: tuple[Tensor, Tensor]
    alignment: Mapping[str, Any]
    place: Place
    files: Mapping[str, str] = field(default_factory=dict)

    def slices(self) -> tuple[Tensor, Tensor]:
        """T1 and T2, ``(s, h, w)``."""
        return self.stacks


class ScanPaird(Transform):
    """Scan one pair as :class:`~bundle.acquisition.VolumeDataset` does, and add ``image`` and what else it gives.

    Args:
        acquisition: the simulated scan; a copy of it is used.
        seed: as in :class:`~bundle.acquisition.VolumeDataset`.
    """

    def __init__(self, acquisition: Acquisition, seed: int = 0) -> None:
        self.acquisition = deepcopy(acquisition)
        self.seed = seed

    def __call__(self, data: Mapping[Hashable, Any]) -> dict[Hashable, Any]:
        """A copy of ``data`` with the scan in place of the stacks.

        Args:
            data: ``t1`` and ``t2`` ``(s, h, w)``, ``geometry``, ``alignment``, ``subject`` and ``files``.

        Raises:
            BundleError: the network is shown T1, and T1 does not seem to be of the same anatomy as T2.
        """
        files = data["files"]
        item = {"subject": data["subject"], **files}
        place = Place(data["geometry"], output_stem(item), files["t2"])
        pair = _AlignedPair(volume_name(item), (data["t1"], data["t2"]), data["alignment"], place, files)
        kept = {key: value for key, value in data.items() if key not in _STACKS}
        return {**kept, **VolumeDataset([pair], self.acquisition, self.seed)[0]}  # type: ignore[list-item]
