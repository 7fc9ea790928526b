"""The networks: one file each, all behind one border (:mod:`.inputs`), in plain torch.

A network is one line below, its own file and one overlay (configs/experiments/). One that has weights tells by
``settings_from(weights)`` whether weights are its own, and what it was built with.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from torch import Tensor, nn

from ..errors import BundleError
from .compressed_sensing import CompressedSensing as CompressedSensing
from .dudornet import DuDoRNet as DuDoRNet
from .dudornet import DuDoRNetOutput as DuDoRNetOutput
from .manet import MANet as MANet
from .manet import MANetOutput as MANetOutput
from .multicoil import for_coils as for_coils
from .multicoil import multicoil_network as multicoil_network
from .unet import UNetT2 as UNetT2
from .unrolled import Unrolled as Unrolled
from .xiang import Xiang as Xiang
from .zero_filled import ZeroFilled as ZeroFilled

_WITH_WEIGHTS = [kind for kind in list(globals().values()) if hasattr(kind, "settings_from")]


def settings_from(weights: Mapping[str, Tensor]) -> dict[str, Any] | None:
    """What the network was built with whose weights these are, as far as they tell; None where it is none of these."""
    found = (kind.settings_from(weights) for kind in _WITH_WEIGHTS)
    return next((settings for settings in found if settings is not None), None)


def network_from(weights: Mapping[str, Tensor]) -> nn.Module | None:
    """A network that takes these weights, itself with random ones; None where they are of none of these.

    Raises:
        BundleError: they do not tell all that it was built with, as its ``not_in_weights`` says.
    """
    for kind in _WITH_WEIGHTS:
        if (settings := kind.settings_from(weights)) is not None:
            if untold := getattr(kind, "not_in_weights", ()):
                raise BundleError(
                    f"Weights of a {kind.__name__} do not tell its {', '.join(untold)}; add its overlay of "
                    "configs/experiments/ to the config files, which says."
                )
            return kind(**settings)
    return None


def name_from(weights: Mapping[str, Tensor]) -> str | None:
    """The class of the network that weights are of; None where it is none of these."""
    return next((kind.__name__ for kind in _WITH_WEIGHTS if kind.settings_from(weights) is not None), None)
