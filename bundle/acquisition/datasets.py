"""What the loaders serve: single slices scanned anew each epoch for training, whole volumes for evaluation."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence

import numpy as np
from torch import Tensor
from torch.utils.data import Dataset

from ..data.mutual_information import rounded_down
from ..data.prepared import PreparedVolume
from ..errors import BundleError
from .augmentation import Augmentation, without_records
from .guides import Guide
from .scan import Acquisition

__all__ = ["SliceDataset", "VolumeDataset", "scan_seed"]

_NAMED = 5  # of several unlike pairs


class SliceDataset(Dataset):
    """Slices for training: each epoch scans every slice with a new mask and new noise.

    The draws follow from ``(seed, epoch, slice)`` alone. So they do not depend on the number of workers, and a resumed
    training goes on as if it had not stopped.

    Args:
        volumes: prepared pairs.
        acquisition: the simulated scan.
        seed: of masks and noise.
        min_foreground: slices with less T2 foreground than this fraction are left out (air above the head).
        augmentation: what is done to a pair before the scan, drawn as the scan is, or several one after the other
            (:mod:`bundle.acquisition.augmentation`); None: nothing.

    Raises:
        BundleError: no slice is left, or the network is shown a T1 that is not of the same anatomy as its T2.
    """

    def __init__(
        self,
        volumes: Sequence[PreparedVolume],
        acquisition: Acquisition,
        seed: int = 0,
        min_foreground: float = 0.02,
        augmentation: Augmentation | Sequence[Augmentation] | None = None,
    ) -> None:
        _refuse_other_anatomy(volumes, acquisition)
        self.volumes = volumes
        self.acquisition = acquisition
        given = augmentation if isinstance(augmentation, Sequence) else [augmentation]
        self.augmentations = [one for one in given if one is not None]
        self.seed = seed
        self.epoch = 0
        kept = [
            (volume, index)
            for volume, prepared in enumerate(volumes)
            for index, foreground in enumerate(prepared.foreground)
            if foreground >= min_foreground
        ]
        if not kept:
            raise BundleError(f"No slice of the {len(volumes)} training volumes has any T2 signal to train on.")
        self._slices = np.array(kept)

    def set_epoch(self, epoch: int) -> None:
        """Choose this epoch's masks and noise; workers see it when the loader starts them."""
        self.epoch = epoch

    def __len__(self) -> int:
        return len(self._slices)

    def __getitem__(self, index: int) -> dict[str, Tensor]:
        """``image`` and ``full_kspace``, both ``(4, h, w)``: see :class:`~bundle.acquisition.Acquired`."""
        volume, slice_index = self._slices[index]
        t1, t2 = self.volumes[volume].slices(int(slice_index))
        draw = self.seed, self.epoch, int(index)
        with without_records():
            t1, t2 = self._augmented(t1, t2, draw)
        self.acquisition.set_random_state(seed=_hash("training", *draw))
        acquired = self.acquisition(t1, t2)
        return {"image": acquired.image, "full_kspace": acquired.full_kspace}

    def _augmented(self, t1: Tensor, t2: Tensor, draw: tuple[int, int, int]) -> tuple[Tensor, Tensor]:
        """Both ``(h, w)``, by all augmentations in turn."""
        for number, augmentation in enumerate(self.augmentations):
            own = draw if number == 0 else (*draw, number)  # the first draws as it does alone
            augmentation.set_random_state(seed=_hash("augmentation", *own))
            t1, t2 = augmentation(t1, t2)
        return t1, t2


class VolumeDataset(Dataset):
    """Whole volumes for validation, test and inference: one mask a volume, drawn from the subject's name.

    So a figure can be had again whatever the order of the subjects or the number of workers.

    Args:
        volumes: prepared pairs.
        acquisition: the simulated scan.
        seed: another one is another draw of all masks and all noise.
        guide: what the network is shown in place of T1 (:mod:`bundle.acquisition.guides`), with the same masks and
            noise; None shows it T1 as it was aligned.
        check: of each volume that is to be served, which may change it, as leave T1 out; None: none. (Not
            ``transform``, by which MONAI would look for the preprocessing.)

    Raises:
        BundleError: the network is shown a T1 that does not seem to be of the same anatomy as its T2.
    """

    def __init__(
        self,
        volumes: Sequence[PreparedVolume],
        acquisition: Acquisition,
        seed: int = 0,
        guide: Guide | None = None,
        check: Callable[[dict], dict] | None = None,
    ) -> None:
        _refuse_other_anatomy(volumes, acquisition)
        self.volumes = volumes
        self.acquisition = acquisition
        self.seed = seed
        self.guide = guide
        self.check = check

    def __len__(self) -> int:
        return len(self.volumes)

    def __getitem__(self, index: int) -> dict:
        """One volume, slices last.

        Returns:
            ``image`` (4, h, w, s), the network's input; ``reference`` (the fully sampled T2), ``zero_filled`` and
            ``t1`` (1, h, w, s), in the files' units; ``scale`` (1, 1, 1, s), by which the network's output is
            multiplied; ``mask`` (h, w); ``hermitian``, whether T2's k-space is; ``index``, which of the volumes it is;
            ``place``, where it belongs, the text of a :class:`~bundle.data.Place`. ``t1`` is the guide's, where there
            is one.
        """
        volume = self.volumes[index]
        t1, t2 = volume.slices()
        if self.guide is not None:
            t1 = self.guide(self.volumes, index, _hash("guide", self.seed, volume.name))
        self.acquisition.set_random_state(seed=scan_seed(self.seed, volume.name))
        acquired = self.acquisition(t1, t2)
        served = {
            "image": acquired.image.permute(1, 2, 3, 0),
            "reference": _slices_last(t2),
            "zero_filled": _slices_last(acquired.zero_filled),
            "t1": _slices_last(t1),
            "scale": _slices_last(acquired.scale),
            "mask": acquired.mask,
            "hermitian": self.acquisition.is_hermitian,
            "index": index,
            "place": volume.place.as_text(),
        }
        return served if self.check is None else self.check(served)


def scan_seed(seed: int, name: str) -> int:
    """The seed of a volume's mask and noise at evaluation and inference: it follows from the volume's name."""
    return _hash("evaluation", seed, name)


def _refuse_other_anatomy(volumes: Sequence[PreparedVolume], acquisition: Acquisition) -> None:
    """BundleError that names every pair whose alignment found no common anatomy, where the network is shown T1."""
    unlike = [volume for volume in volumes if not volume.alignment.get("same_anatomy", True)]
    if not unlike or "t1" not in acquisition.visible:
        return
    named = [
        f"{volume.files['t1']} and {volume.files['t2']} ({volume.alignment['note']}; likeness "
        f"{rounded_down(volume.alignment['likeness'])}, mutual information "
        f"{volume.alignment['mutual_information_after']:.3f})"
        for volume in unlike[:_NAMED]
    ]
    more = f" and {len(unlike) - _NAMED} more pairs" if len(unlike) > _NAMED else ""
    limit = unlike[0].alignment["least_likeness"]
    raise BundleError(
        f"T1 and T2 do not seem to show the same anatomy, as they are aligned: {', '.join(named)}{more}; images "
        f"of one head have a likeness of {limit:g} or more, so look at both files and their headers, leave the pair "
        "out, or reconstruct without T1 (--visible [t2])."
    )


def _slices_last(stack: Tensor) -> Tensor:
    """``(s, h, w)`` to ``(1, h, w, s)``."""
    return stack.permute(1, 2, 0)[None]


def _hash(*parts: str | int) -> int:
    """A seed that depends on all its parts, the same on every machine."""
    return int.from_bytes(hashlib.sha256(repr(parts).encode()).digest()[:4], "little")
