"""Weights of the published MANet (chunmeifeng/MANet) under this bundle's names."""

from __future__ import annotations

import re
from collections.abc import Mapping

from torch import Tensor

from ..errors import BundleError

__all__ = ["convert_reference_state_dict"]

_STAGES = {"UNet_k": "kspace_stage", "UNet_img": "image_stage"}
_DEPTH = 4
_DEAD = re.compile(r"convdem[DU]\d")  # defined in the published code, never reached by its forward pass
_PARTS = {"conv_list": "convs", "bn_list": "norms", "upsample_layer": "upsample", "bn": "norm"}


def _modules() -> dict[str, str]:
    """Published module name to ours, within one stage; the published decoder counts its levels downwards."""
    names: dict[str, str] = {}
    for t in (1, 2):
        stream = f"t{t}_stream"
        names |= {f"conv1T{t}": f"{stream}.stem", f"bottom_T{t}": f"{stream}.bottom", f"outconvT{t}": f"{stream}.head"}
        for level in range(_DEPTH):
            names[f"dT{t}_{level + 1}"] = f"{stream}.encoder.{level}"
            names[f"up{_DEPTH - level}_T{t}"] = f"{stream}.ups.{level}"
            names[f"u{_DEPTH - level}_T{t}"] = f"{stream}.decoder.{level}"
    for level in range(_DEPTH):
        for published, ours in ((f"{level}", level), (f"U_{level}", _DEPTH + level)):
            names[f"atten_depth_channel_{published}.fc1"] = f"attentions.{ours}.0.weigh.1"
            names[f"atten_depth_channel_{published}.fc2"] = f"attentions.{ours}.0.weigh.3"
            names[f"atten_depth_spatial_{published}.conv1"] = f"attentions.{ours}.1.conv"
    return names


_MODULES = _modules()


def convert_reference_state_dict(state_dict: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Rename the published network's weights for :class:`~bundle.networks.manet.MANet` with 64 features.

    Args:
        state_dict: keys ``UNet_k...`` and ``UNet_img...``, as the published module saves them (a Lightning checkpoint
            holds it under ``"state_dict"``).

    Returns:
        a state dict that ``MANet().load_state_dict`` takes; the published network's dead parameters are left out.

    Raises:
        BundleError: a key that the published network does not have.
    """
    return {_rename(key): value for key, value in state_dict.items() if not _DEAD.search(key)}


def _rename(key: str) -> str:
    stage, _, rest = key.partition(".")
    module = next((name for name in _MODULES if rest.startswith(f"{name}.")), None)
    if stage not in _STAGES or module is None:
        raise BundleError(f"The published MANet has no parameter {key!r}; is this a checkpoint of another network?")
    parts = rest.removeprefix(f"{module}.").split(".")
    return ".".join((_STAGES[stage], _MODULES[module], *(_PARTS.get(part, part) for part in parts)))
