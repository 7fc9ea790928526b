"""The networks: one file each, from the smallest part to the whole, all behind one border (:mod:`.border`)."""

from __future__ import annotations

from .compressed_sensing import CompressedSensing
from .dudornet import DuDoRNet, DuDoRNetOutput
from .manet import MANet, MANetOutput
from .unet import UNetT2
from .xiang import Xiang
from .zero_filled import ZeroFilled

__all__ = ["CompressedSensing", "DuDoRNet", "DuDoRNetOutput", "MANet", "MANetOutput", "UNetT2", "Xiang", "ZeroFilled"]
