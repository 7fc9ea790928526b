"""What a training needs beside the network: losses, handlers, curves, weights on disk, several processes."""

from __future__ import annotations

from .curves import History, curves_figure
from .distributed import synchronise_batch_norm
from .handlers import ClipGradients, EpochLines, EpochSeed, GradientsFirst, LossProgress, StopAtNonFiniteLoss, loss_of
from .losses import DualDomainLoss, HybridDomainLoss, ImageLoss
from .resume import TrainingCheckpoints, check_resumable
from .tensorboard import TensorBoard
from .tracking import prepare_tracking
from .weights import load_weights, multicoil_network_of, network_of, read_weights, start_from

__all__ = [
    "ClipGradients",
    "DualDomainLoss",
    "EpochLines",
    "EpochSeed",
    "GradientsFirst",
    "History",
    "HybridDomainLoss",
    "ImageLoss",
    "LossProgress",
    "StopAtNonFiniteLoss",
    "TensorBoard",
    "TrainingCheckpoints",
    "check_resumable",
    "curves_figure",
    "load_weights",
    "loss_of",
    "multicoil_network_of",
    "network_of",
    "prepare_tracking",
    "read_weights",
    "start_from",
    "synchronise_batch_norm",
]
