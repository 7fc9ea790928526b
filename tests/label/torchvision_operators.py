"""Lets torchvision be imported beside a torch of another build, whose operators it lacks; none of them is used here.

`make label-demo` puts this into the environment of MONAI Label where torchvision, which MONAI Label imports for two
functions that draw, ends in "operator torchvision::nms does not exist": a wheel for CUDA beside a torch for CPUs.
"""

from __future__ import annotations

import sys
from importlib.abc import MetaPathFinder


class DefineFirst(MetaPathFinder):
    """Defines the operators when torchvision is about to be imported."""

    def find_spec(self, name, path, target=None):  # noqa: ANN001, ANN201 - as importlib calls it
        """Find nothing."""
        if name == "torchvision":
            sys.meta_path.remove(self)
            import torch

            for operator in ("nms", "qnms"):
                torch.library.define(f"torchvision::{operator}", "(Tensor a, Tensor b, float c) -> Tensor")


sys.meta_path.insert(0, DefineFirst())
