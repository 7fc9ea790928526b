"""Raw k-space files with the schemas of fastMRI, M4Raw and ISMRMRD, made from images that are known."""

from __future__ import annotations

import json
from pathlib import Path

import h5py
import ismrmrd
import numpy as np
import torch

from bundle.fourier import fft2c

HEADER = """<?xml version="1.0" encoding="utf-8"?>
<ismrmrdHeader xmlns="http://www.ismrm.org/ISMRMRD">
 <experimentalConditions><H1resonanceFrequency_Hz>123253000</H1resonanceFrequency_Hz></experimentalConditions>
 <encoding>
  <encodedSpace><matrixSize><x>{x}</x><y>{y}</y><z>1</z></matrixSize>
   <fieldOfView_mm><x>{fov_x}</x><y>{fov_y}</y><z>4.5</z></fieldOfView_mm></encodedSpace>
  <reconSpace><matrixSize><x>{crop}</x><y>{crop}</y><z>1</z></matrixSize>
   <fieldOfView_mm><x>{field}</x><y>{field}</y><z>4.5</z></fieldOfView_mm></reconSpace>
  <encodingLimits><kspace_encoding_step_1><minimum>0</minimum><maximum>{last}</maximum><center>{centre}</center>
   </kspace_encoding_step_1></encodingLimits>
  <trajectory>cartesian</trajectory>
 </encoding>
</ismrmrdHeader>"""


def header(x: int, y: int, crop: int, lines: int | None = None, field: int | None = None) -> str:
    """fastMRI's, of 1 mm voxels: ``lines`` were acquired about the middle of ``y``; ``field`` is the image's, in mm."""
    lines = lines or y
    return HEADER.format(x=x, y=y, fov_x=x, fov_y=y, crop=crop, field=field or crop, last=lines - 1, centre=lines // 2)


def slices_of_a_head(slices: int, height: int, width: int, seed: int = 0) -> np.ndarray:
    """``(slices, h, w)``: an ellipse with spots, other ones in each slice, which no edge of the image cuts."""
    y, x = np.mgrid[-1 : 1 : height * 1j, -1 : 1 : width * 1j]
    inside = (y / 0.45) ** 2 + (x / 0.6) ** 2 < 1
    spots = [1.5 + np.sin(9 * x + s + seed) * np.cos(7 * y - s) for s in range(slices)]
    return (100 * inside * np.stack(spots)).astype(np.float32)


def coil_maps(coils: int, height: int, width: int) -> np.ndarray:
    """``(coils, h, w)`` smooth complex sensitivities whose squares sum to 1."""
    y, x = np.mgrid[-1 : 1 : height * 1j, -1 : 1 : width * 1j]
    angles = 2 * np.pi * np.arange(coils)[:, None, None] / max(coils, 1)
    maps = np.exp(-((x - np.cos(angles)) ** 2 + (y - np.sin(angles)) ** 2) / 4 + 0.7j * (angles + x))
    return (maps / np.sqrt((np.abs(maps) ** 2).sum(axis=0))).astype(np.complex64)


def kspace_of(image: np.ndarray, coils: int | None = None) -> np.ndarray:
    """``(slices, h, w)`` to k-space, or with coils ``(slices, coils, h, w)``."""
    image = torch.from_numpy(np.asarray(image))
    if coils is not None:
        image = image[:, None] * torch.from_numpy(coil_maps(coils, *image.shape[-2:]))
    return fft2c(image).numpy().astype(np.complex64)


def middle(image: np.ndarray, height: int, width: int) -> np.ndarray:
    """Cropped about ``n // 2``."""
    top, left = image.shape[-2] // 2 - height // 2, image.shape[-1] // 2 - width // 2
    return image[..., top : top + height, left : left + width]


def write_fastmri(path: Path, kspace: np.ndarray, crop: int, lines: int | None = None, mask=None, **attributes) -> Path:
    """fastMRI's schema; ``reconstruction_...`` is the root sum of squares, cropped."""
    images = np.fft.fftshift(np.fft.ifft2(np.fft.ifftshift(kspace, axes=(-2, -1)), norm="ortho"), axes=(-2, -1))
    multicoil = kspace.ndim == 4
    shown = middle(np.sqrt((np.abs(images) ** 2).sum(axis=1)) if multicoil else np.abs(images), crop, crop)
    with h5py.File(path, "w") as file:
        file["kspace"] = kspace
        file["ismrmrd_header"] = header(*kspace.shape[-2:], crop, lines).encode()
        if mask is None:
            file[f"reconstruction_{'rss' if multicoil else 'esc'}"] = shown.astype(np.float32)
        else:
            file["mask"] = mask
        named = {"acquisition": "CORPD_FBK", "patient_id": "0", "max": float(shown.max()), "norm": 1.0} | attributes
        for name, value in named.items():
            if value is not None:
                file.attrs[name] = value
    return path


def write_m4raw(path: Path, kspace: np.ndarray) -> Path:
    """M4Raw's schema: a prefixed header with units in its numbers, no ``norm``."""
    text = header(*kspace.shape[-2:], kspace.shape[-1], None)
    text = text.replace("<?xml version", "<?XML", 1).split("?>", 1)[1]
    for name in ("ismrmrdHeader", "encoding>", "encodedSpace", "matrixSize", "fieldOfView_mm", "x>", "y>", "z>"):
        text = text.replace(f"<{name}", f"<ns0:{name}").replace(f"</{name}", f"</ns0:{name}")
    text = text.replace(" xmlns=", " xmlns:ns0=").replace(
        "<experimentalConditions>", "<bandwidth>31.25KHz</bandwidth><experimentalConditions>"
    )
    text = text.replace("<ns0:z>4.5</ns0:z>", "<ns0:z>5mm</ns0:z>")
    rss = np.sqrt(
        (
            np.abs(np.fft.fftshift(np.fft.ifft2(np.fft.ifftshift(kspace, axes=(-2, -1)), norm="ortho"), axes=(-2, -1)))
            ** 2
        ).sum(axis=1)
    )
    with h5py.File(path, "w") as file:
        file["kspace"], file["reconstruction_rss"], file["ismrmrd_header"] = kspace, rss.astype(np.float32), text
        file.attrs.update({"acquisition": "AX" + path.stem.split("_")[-1][:-2], "max": float(rss.max())})
    return path


def write_ismrmrd(path: Path, kspace: np.ndarray, columns: np.ndarray, change=None, noise: bool = True) -> Path:
    """By the package ismrmrd: one readout a column of each slice, oblique, the slices 6 mm apart and interleaved."""
    slices, coils, height, width = kspace.shape
    data = ismrmrd.Dataset(path, "dataset", create_if_needed=True)
    data.write_xml_header(header(height, width, height // 2).encode())
    order = [*range(0, slices, 2), *range(1, slices, 2)]
    for number in order:
        for column in columns:
            readout = ismrmrd.Acquisition.from_array(np.ascontiguousarray(kspace[number, :, :, column]))
            readout.center_sample = height // 2
            readout.idx.kspace_encode_step_1, readout.idx.slice = int(column), number
            readout.read_dir, readout.phase_dir, readout.slice_dir = (0, 0.8, 0.6), (1, 0, 0), (0, -0.6, 0.8)
            readout.position = (10.0, 20 - 0.6 * 6 * number, 30 + 0.8 * 6 * number)
            if change is not None:
                change(readout)
            data.append_acquisition(readout)
    if noise:
        readout = ismrmrd.Acquisition.from_array(np.ones((coils, 7), dtype=np.complex64))
        readout.setFlag(ismrmrd.ACQ_IS_NOISE_MEASUREMENT)
        data.append_acquisition(readout)
    data.close()
    return path


def write_array(path: Path, kspace: np.ndarray, **description) -> Path:
    """``.npy``, and the JSON beside it where there is something to say."""
    np.save(path, kspace)
    if description:
        path.with_suffix(".json").write_text(json.dumps(description))
    return path
