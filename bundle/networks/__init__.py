"""The networks: one file each, from the smallest part to the whole."""

from __future__ import annotations

from .manet import MANet, MANetOutput

__all__ = ["MANet", "MANetOutput"]
