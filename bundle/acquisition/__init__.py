"""From slices to the simulated scan: masks, noise, k-space, the guide, and the datasets that loaders serve."""

from __future__ import annotations

from .acquired_image import AcquiredImaged
from .augmentation import BothImages, ImperfectGuide
from .batches import PrepareBatchWithTarget
from .datasets import SliceDataset, VolumeDataset
from .guides import MisregisteredGuide, OtherSubjectGuide
from .inserted_lesions import InsertedLesions
from .masks import VariedMask, effective_acceleration, make_mask, sampled_acceleration
from .noise import KspaceNoise, VariedNoise
from .phase import SmoothPhase
from .scan import Acquired, Acquisition
from .scanned_pair import ScanPaird
from .smaller_field import SmallerField

__all__ = [
    "Acquired",
    "AcquiredImaged",
    "Acquisition",
    "BothImages",
    "ImperfectGuide",
    "InsertedLesions",
    "KspaceNoise",
    "MisregisteredGuide",
    "OtherSubjectGuide",
    "PrepareBatchWithTarget",
    "ScanPaird",
    "SliceDataset",
    "SmallerField",
    "SmoothPhase",
    "VariedMask",
    "VariedNoise",
    "VolumeDataset",
    "effective_acceleration",
    "make_mask",
    "sampled_acceleration",
]
