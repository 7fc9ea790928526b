"""ISMRMRD's HDF5 files: one acquisition a readout, each with a header of its own, sorted into k-space.

Read with h5py, as the format is one table; the package ``ismrmrd`` reads it readout by readout, and refuses headers
that are not by its schema. Two-dimensional Cartesian multi-slice scans; averages and repetitions are averaged.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from ..errors import BundleError
from .hdf5 import open_hdf5, text_of
from .header import Header, read_header
from .scan import RawScan, make_scan

__all__ = ["is_ismrmrd", "read_ismrmrd"]

# of a readout's flags, counted from 1: what is no part of the image's k-space
_NOT_IMAGE = {
    19: "noise",
    20: "calibration",
    23: "navigation",
    24: "phase correction",
    26: "feedback",
    27: "dummy scans",
    28: "real-time feedback",
    29: "surface coil correction",
}
_REVERSED = 22
_ONE_ONLY = {"contrast": "contrasts", "phase": "phases", "set": "sets", "kspace_encode_step_2": "partitions (3D)"}
_LPS_TO_RAS = np.diag([-1.0, -1.0, 1.0])


def is_ismrmrd(file: Any) -> bool:
    """Whether an open HDF5 file has this schema."""
    return _group_of(file) is not None


def read_ismrmrd(path: Path) -> RawScan:
    """Read a file.

    Raises:
        BundleError: it is not Cartesian and two-dimensional, holds several contrasts, or no readout of an image.
    """
    with open_hdf5(path) as file:
        group = _group_of(file)
        header = read_header(text_of(group["xml"][()]), path)
        table = group["data"][()]
    heads, remarks = table["head"], []
    if header.trajectory not in (None, "cartesian") or header.encoded is None:
        what = f"its trajectory is {header.trajectory}" if header.encoded else "its header has no encoded matrix"
        raise BundleError(f"{path} is not read: {what}; Cartesian scans with their matrix are.")
    image = np.ones(len(heads), dtype=bool)
    for number, what in _NOT_IMAGE.items():
        flagged = _flagged(heads, number)
        if (image & flagged).any():
            remarks.append(f"{int((image & flagged).sum())} readouts of {what} are left out")
        image &= ~flagged
    heads, data = heads[image], table["data"][image]
    _refuse_others(heads, path)
    kspace = _sorted_in(heads, data, header, path)
    affine, known = _affine(heads, header, kspace.shape)
    return make_scan(path, "ISMRMRD", kspace, header, name=path.stem, affine=affine if known else None, remarks=remarks)


def _group_of(file: Any) -> Any:
    """The group with ``xml`` and ``data``, by default called ``dataset``; None where there is none."""
    groups = [file[name] for name in file if hasattr(file[name], "keys")]
    return next((group for group in groups if "xml" in group and "data" in group), None)


def _flagged(heads: np.ndarray, number: int) -> np.ndarray:
    return (heads["flags"] & np.uint64(1 << (number - 1))) != 0


def _refuse_others(heads: np.ndarray, path: Path) -> None:
    if len(heads) == 0:
        raise BundleError(f"{path} holds no readout of an image.")
    if _flagged(heads, _REVERSED).any():
        raise BundleError(f"{path} has readouts in both directions (EPI), which need a phase correction first.")
    for name, what in _ONE_ONLY.items():
        if (count := len(np.unique(heads["idx"][name]))) > 1:
            raise BundleError(f"{path} holds {count} {what}; write each to a file of its own, as 2D slices.")
    if len(np.unique(heads["active_channels"])) > 1:
        raise BundleError(f"The readouts of {path} have different numbers of coils.")


def _sorted_in(heads: np.ndarray, data: np.ndarray, header: Header, path: Path) -> np.ndarray:
    """``(slices, coils, h, w)``; each point is the mean of the readouts that fell on it."""
    assert header.encoded is not None
    height, width, _ = header.encoded
    coils = int(heads["active_channels"][0])
    centre = header.limits[2] if header.limits else width // 2
    slices, place = _slices(heads)
    kspace = np.zeros((slices, coils, height, width), dtype=np.complex64)
    counts = np.zeros((slices, width), dtype=np.float32)
    for head, values, index in zip(heads, data, place):
        samples = int(head["number_of_samples"])
        readout = np.asarray(values, dtype=np.float32).view(np.complex64).reshape(coils, samples)
        readout = readout[:, head["discard_pre"] : samples - head["discard_post"]]
        first = height // 2 - int(head["center_sample"]) + int(head["discard_pre"])
        column = width // 2 - centre + int(head["idx"]["kspace_encode_step_1"])
        if first < 0 or first + readout.shape[1] > height or not 0 <= column < width:
            raise BundleError(
                f"A readout of {path} ({readout.shape[1]} samples, phase encoding step "
                f"{head['idx']['kspace_encode_step_1']}) lies outside the header's matrix of {height} x {width}."
            )
        kspace[index, :, first : first + readout.shape[1], column] += readout
        counts[index, column] += 1
    return kspace / np.maximum(counts, 1)[:, None, None]


def _slices(heads: np.ndarray) -> tuple[int, np.ndarray]:
    """How many there are, and which one each readout is of; in the order of their positions where these are told."""
    names, place = np.unique(heads["idx"]["slice"], return_inverse=True)
    first = np.array([int(np.flatnonzero(place == number)[0]) for number in range(len(names))])
    along = (heads["position"][first] * heads["slice_dir"][first]).sum(axis=1)
    order = np.argsort(along, kind="stable")
    return len(names), np.argsort(order, kind="stable")[place]


def _affine(heads: np.ndarray, header: Header, shape: tuple[int, ...]) -> tuple[np.ndarray, bool]:
    """From positions and directions, which are LPS; and whether these are told."""
    count, place = _slices(heads)
    ends = [int(np.flatnonzero(place == number)[0]) for number in (0, count - 1)]
    first, last = heads[ends[0]], heads[ends[1]]
    axes = np.stack([first["read_dir"], first["phase_dir"], first["slice_dir"]], axis=1).astype(float)
    if header.encoded_fov is None or abs(np.linalg.det(axes)) < 0.5:
        return np.eye(4), False
    spacing = np.array(header.encoded_fov) / [shape[2], shape[3], 1]
    between = (last["position"] - first["position"]).astype(float)
    step = between / (count - 1) if count > 1 and between.any() else axes[:, 2] * spacing[2]
    affine = np.eye(4)
    affine[:3, :3] = _LPS_TO_RAS @ np.stack([axes[:, 0] * spacing[0], axes[:, 1] * spacing[1], step], axis=1)
    affine[:3, 3] = _LPS_TO_RAS @ first["position"] - affine[:3, :2] @ [shape[2] // 2, shape[3] // 2]
    return affine, True
