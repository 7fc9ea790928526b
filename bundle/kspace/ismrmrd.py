"""ISMRMRD's HDF5 files: one acquisition a readout, each with a header of its own, sorted into k-space.

Read with h5py, as the format is one table; the package ``ismrmrd`` reads it readout by readout, and refuses headers
that are not by its schema. Two-dimensional Cartesian multi-slice scans; averages are averaged, segments put together.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from ..errors import BundleError
from .hdf5 import open_hdf5, text_of
from .header import Header, cut_to_rows, is_cut, read_header
from .readouts import image_readouts
from .scan import RawScan, make_scan
from .slice_geometry import slices_in_order, stack_affine

__all__ = ["is_ismrmrd", "read_ismrmrd"]


def is_ismrmrd(file: Any) -> bool:
    """Whether an open HDF5 file has this schema."""
    return _group_of(file) is not None


def read_ismrmrd(path: Path) -> RawScan:
    """Read a file.

    Raises:
        BundleError: it is not Cartesian and two-dimensional, holds several images of a slice or no readout of one, or
            its slices are no stack.
    """
    with open_hdf5(path) as file:
        group = _group_of(file)
        header = read_header(text_of(group["xml"][()]), path)
        table = group["data"][()]
    if header.trajectory not in (None, "cartesian") or header.encoded is None:
        what = f"its trajectory is {header.trajectory}" if header.encoded else "its header has no encoded matrix"
        raise BundleError(f"{path} is not read: {what}; Cartesian scans with their matrix are.")
    image, remarks = image_readouts(table["head"], header, path)
    heads, data = table["head"][image], table["data"][image]
    header, cut = _without_oversampling(heads, header, path)
    slices, place = slices_in_order(heads)
    kspace = _sorted_in(heads, data, place, header, path)
    affine = stack_affine(slices, header, kspace.shape[2:], path)
    return make_scan(path, "ISMRMRD", kspace, header, name=path.stem, affine=affine, remarks=remarks + cut)


def _group_of(file: Any) -> Any:
    """The group with ``xml`` and ``data``, by default called ``dataset``; None where there is none."""
    groups = [file[name] for name in file if hasattr(file[name], "keys")]
    return next((group for group in groups if "xml" in group and "data" in group), None)


def _without_oversampling(heads: np.ndarray, header: Header, path: Path) -> tuple[Header, list[str]]:
    """As it is where readouts have the image's samples, about their middle, and the header's matrix has more."""
    samples = int(heads["number_of_samples"][0])
    whole = (heads["number_of_samples"] == samples).all() and (heads["center_sample"] == samples // 2).all()
    shown = header.recon is not None and samples == header.recon[0]
    return cut_to_rows(header, samples, path) if whole and shown and is_cut(header, samples) else (header, [])


def _sorted_in(heads: np.ndarray, data: np.ndarray, place: np.ndarray, header: Header, path: Path) -> np.ndarray:
    """``(slices, coils, h, w)``; each point is the mean of the readouts that fell on it."""
    assert header.encoded is not None
    height, width, _ = header.encoded
    coils = int(heads["active_channels"][0])
    centre = header.limits[2] if header.limits else width // 2
    kspace = np.zeros((place.max() + 1, coils, height, width), dtype=np.complex64)
    counts = np.zeros((len(kspace), height, width), dtype=np.float32)
    for head, values, index in zip(heads, data, place):
        samples = int(head["number_of_samples"])
        readout = np.asarray(values, dtype=np.float32).view(np.complex64).reshape(coils, samples)
        readout = readout[:, head["discard_pre"] : samples - head["discard_post"]]
        first = height // 2 - int(head["center_sample"]) + int(head["discard_pre"])
        column = width // 2 - centre + int(head["idx"]["kspace_encode_step_1"])
        end = first + readout.shape[1]
        if first < 0 or end > height or not 0 <= column < width:
            raise BundleError(
                f"A readout of {path} ({readout.shape[1]} samples, phase encoding step "
                f"{head['idx']['kspace_encode_step_1']}) lies outside the header's matrix of {height} x {width}."
            )
        kspace[index, :, first:end, column] += readout
        counts[index, first:end, column] += 1
    return kspace / np.maximum(counts, 1)[:, None]
