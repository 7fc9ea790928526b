"""Conversion of a finished network: modules replaced by subclasses that compute the same in another way."""

from __future__ import annotations

from collections.abc import Callable

from torch import nn

__all__ = ["convert_modules"]


def convert_modules(network: nn.Module, subclass_for: Callable[[nn.Module], type[nn.Module] | None]) -> nn.Module:
    """Replace modules of a network in place, as ``nn.SyncBatchNorm.convert_sync_batchnorm`` does, and return it.

    Parameters stay the same objects under the same names, so that optimisers and checkpoints notice nothing.

    Args:
        network: whose modules, itself not among them, are replaced.
        subclass_for: a module to the subclass of its class that takes its place; None leaves it.
    """
    for parent in list(network.modules()):
        for name, child in parent.named_children():
            kind = subclass_for(child)
            if kind is not None:
                setattr(parent, name, _as(kind, child))
    return network


def _as(kind: type[nn.Module], module: nn.Module) -> nn.Module:
    """The same settings, parameters, buffers, hooks and mode."""
    converted = kind.__new__(kind)
    converted.__dict__.update(module.__dict__)
    return converted
