"""Several processes, one a device: the group that ``torchrun`` asks for, and batch statistics over all of them."""

from __future__ import annotations

import warnings

import ignite.distributed as idist
import torch
from torch import Tensor, nn
from torch.distributed.nn.functional import all_reduce

from ..compute.conversion import convert_modules
from ..settings import flag

__all__ = ["JointBatchNorm2d", "start", "stop", "synchronise_batch_norm"]


def start() -> None:
    """Join the processes that ``python -m torch.distributed.run`` started: over NCCL on GPUs, over gloo on CPUs."""
    # the autograd of all_reduce has no other public name; said once a process and step otherwise
    warnings.filterwarnings("ignore", "torch.distributed.nn.functional.all_reduce is deprecated")
    idist.initialize("nccl" if torch.cuda.is_available() else "gloo")


def stop() -> None:
    """Leave the group."""
    idist.finalize()


def synchronise_batch_norm(network: nn.Module, enabled: bool = True) -> nn.Module:
    """Let batch norms use the statistics of all processes' slices, so that a step does not depend on their number.

    Args:
        network: its batch norms are replaced in place; parameters stay the same objects.
        enabled: otherwise each process normalises by its own slices, as the published code's two GPUs do.
    """
    if not flag("sync_batch_norm", enabled):
        return network
    if next(network.parameters()).device.type == "cuda":
        return nn.SyncBatchNorm.convert_sync_batchnorm(network)
    return convert_modules(network, lambda module: JointBatchNorm2d if type(module) is nn.BatchNorm2d else None)


class JointBatchNorm2d(nn.BatchNorm2d):
    """Batch norm over all processes' slices, on CPUs, where torch's ``SyncBatchNorm`` refuses to work.

    With running statistics, affine parameters and a momentum, as the networks have them.
    """

    momentum: float
    running_mean: Tensor
    running_var: Tensor
    num_batches_tracked: Tensor

    def forward(self, input: Tensor) -> Tensor:  # noqa: A002 - as nn.BatchNorm2d has it
        """``(b, c, h, w)``, as many slices in each process; in mixed precision too the statistics are of float32."""
        processes = idist.get_world_size()
        if not self.training or processes == 1:
            return super().forward(input)
        features = input.float()
        count = features.numel() // features.shape[1] * processes
        mean = all_reduce(features.sum((0, 2, 3))) / count
        centred = features - mean[:, None, None]
        variance = all_reduce(centred.square().sum((0, 2, 3))) / count
        with torch.no_grad():
            self.num_batches_tracked += 1
            self.running_mean.lerp_(mean, self.momentum)
            self.running_var.lerp_(variance * count / (count - 1), self.momentum)
        scale = self.weight / torch.sqrt(variance + self.eps)
        return (centred * scale[:, None, None] + self.bias[:, None, None]).to(input.dtype)
