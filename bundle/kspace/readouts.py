"""Which readouts of an ISMRMRD file are of its image, by their flags and counters."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from ..errors import BundleError
from .header import Header

__all__ = ["image_readouts"]

# of a readout's flags, counted from 1: what is no part of the image's k-space
_NOT_IMAGE = {
    19: "noise",
    23: "navigation",
    24: "phase correction",
    26: "feedback",
    27: "dummy scans",
    28: "real-time feedback",
    29: "surface coil correction",
    30: "phase stabilisation",
    31: "phase stabilisation",
}
_CALIBRATION, _CALIBRATION_AND_IMAGE, _REVERSED = 20, 21, 22
_ONE_ONLY = {
    "contrast": "contrasts",
    "phase": "phases",
    "set": "sets",
    "repetition": "repetitions",
    "kspace_encode_step_2": "partitions (3D)",
}


def image_readouts(heads: np.ndarray, header: Header, path: Path) -> tuple[np.ndarray, list[str]]:
    """Which are of the image, bool, and what was found of the others.

    Args:
        heads: of all readouts.
        header: of the file.
        path: the file.

    Raises:
        BundleError: none is, or they are of several images, or of EPI.
    """
    image, remarks = np.ones(len(heads), dtype=bool), []
    for number, what in _NOT_IMAGE.items():
        flagged = image & _flagged(heads, number)
        if flagged.any():
            remarks.append(f"{flagged.sum()} readouts of {what} are left out")
        image &= ~flagged
    calibration = image & _flagged(heads, _CALIBRATION) & ~_flagged(heads, _CALIBRATION_AND_IMAGE)
    if calibration.any():
        integrated = _are_integrated(heads[calibration], heads[image & ~calibration], header)
        done = "lie between the image's lines and are taken into it" if integrated else "are left out"
        remarks.append(f"{calibration.sum()} readouts of calibration {done}")
        image &= ~calibration | integrated
    _refuse_others(heads[image], path)
    return image, remarks


def _flagged(heads: np.ndarray, number: int) -> np.ndarray:
    return (heads["flags"] & np.uint64(1 << (number - 1))) != 0


def _are_integrated(calibration: np.ndarray, image: np.ndarray, header: Header) -> bool:
    """Whether calibration belongs to the image's scan: like it in all else, and nowhere on a line that it has.

    A scan apart, which may have another contrast, measures the lines of the centre once more.
    """

    def kinds(heads: np.ndarray) -> set[tuple]:
        own = [heads[name].tolist() for name in ("encoding_space_ref", "number_of_samples", "active_channels")]
        return set(zip(*own, *(heads["idx"][name].tolist() for name in _ONE_ONLY)))

    def lines(heads: np.ndarray) -> set[tuple]:
        return set(zip(heads["idx"]["slice"].tolist(), heads["idx"]["kspace_encode_step_1"].tolist()))

    told = header.calibration in (None, "embedded")
    return told and kinds(calibration) <= kinds(image) and not lines(calibration) & lines(image)


def _refuse_others(heads: np.ndarray, path: Path) -> None:
    if len(heads) == 0:
        raise BundleError(f"{path} holds no readout of an image.")
    if _flagged(heads, _REVERSED).any():
        raise BundleError(f"{path} has readouts in both directions (EPI), which need a phase correction first.")
    for name, what in _ONE_ONLY.items():
        if (count := len(np.unique(heads["idx"][name]))) > 1:
            raise BundleError(f"{path} holds {count} {what}; write each to a file of its own, as 2D slices.")
    if heads["encoding_space_ref"].any():
        raise BundleError(
            f"{path} holds readouts of encoding space {heads['encoding_space_ref'].max()}, and only those of 0, the "
            "first in its header, are read; write each space to a file of its own."
        )
    if len(np.unique(heads["active_channels"])) > 1:
        raise BundleError(f"The readouts of {path} have different numbers of coils.")
