"""Several processes, one a device: the group that ``torchrun`` asks for."""

from __future__ import annotations

import ignite.distributed as idist
import torch

__all__ = ["start", "stop"]


def start() -> None:
    """Join the processes that ``python -m torch.distributed.run`` started: over NCCL on GPUs, over gloo on CPUs."""
    idist.initialize("nccl" if torch.cuda.is_available() else "gloo")


def stop() -> None:
    """Leave the group."""
    idist.finalize()
