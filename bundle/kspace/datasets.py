"""A raw scan as the network takes it: k-space and sensitivities of its coils, with T1 on its grid."""

from __future__ import annotations

import logging
from collections.abc import Callable, Hashable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from monai.config import KeysCollection
from monai.data import MetaTensor
from monai.transforms import MapTransform
from torch import Tensor
from torch.utils.data import Dataset

from ..acquisition.scan import robust_maximum
from ..data.place import Place
from ..data.slices import Geometry
from ..errors import BundleError
from ..fourier import complex_to_channels, fft2c, ifft2c, to_size
from ..paths import path_of
from ..settings import plain
from .centre import check_centre
from .coils import combine, estimate_maps
from .found import scan_lines
from .images import moved_affine, read_image, without_oversampling
from .reading import read_kspace
from .scan import RawScan

__all__ = ["CropToImaged", "RawDataset", "RawVolume", "raw_items"]

_logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class RawVolume:
    """What writers ask of a volume, as :class:`bundle.data.PreparedVolume` has it; its grid is the scanner's image."""

    name: str
    files: Mapping[str, str]
    geometry: Geometry
    alignment: Mapping[str, Any]
    session: str | None = None

    @property
    def subject(self) -> str:
        """The file's name."""
        return self.name

    @property
    def output_stem(self) -> str:
        """What outputs are called."""
        return self.name


class RawDataset(Dataset):
    """One raw scan, read and combined when it is made; logs what was found.

    Args:
        kspace: raw k-space of T2.
        t1: NIfTI or raw k-space of the same subject's T1, fully sampled; None: the network is shown none.
        alignment: brings ``t1`` onto the grid of ``acquired`` in an item, as :class:`bundle.data.RigidAlignmentd` does.

    Raises:
        BundleError: what the readers and the alignment refuse, or T1 for a single slice on another grid.
    """

    def __init__(self, kspace: str, t1: str | None, alignment: Callable[[dict], Mapping]) -> None:
        (item,) = raw_items(kspace, t1)
        scan = read_kspace(item["t2"])
        self.found = dict(scan_lines(scan))
        for name, text in self.found.items():
            _logger.info("%s: %s", name, text)
        check_centre(scan.sampling, str(scan.path))
        if scan.sampling.is_full:
            _logger.warning(
                "%s is fully sampled: the network was trained on undersampled scans, and the inverse FFT alone can "
                "give the better image.",
                scan.path,
            )
        scan = without_oversampling(scan)
        self.maps = estimate_maps(scan.kspace, scan.sampling)
        self.scan = scan
        zero_filled = combine(ifft2c(scan.kspace), self.maps).abs()
        self.t1, report = _guide(item.get("t1"), scan, zero_filled, alignment)
        self.scale = robust_maximum(zero_filled)
        files = {key: path for key, path in item.items() if key != "subject"}
        self.volumes = [RawVolume(scan.name, files, _geometry(scan), report)]

    def __len__(self) -> int:
        return 1

    def __getitem__(self, index: int) -> dict:
        """The scan, slices last.

        Returns:
            ``image`` (2 + 4 coils, h, w, s): T1's k-space, the coils' k-space and sensitivities, real and imaginary
            parts; ``scale`` (1, 1, 1, s), by which the network's output is multiplied; ``mask``, the
            acquired points of k-space without its zero padding; ``index``, 0; ``place``, where it belongs, the text of
            a :class:`~bundle.data.Place`.
        """
        if index != 0:
            raise IndexError(index)
        volume = self.volumes[0]
        scale = torch.where(self.scale > 0, self.scale, torch.ones_like(self.scale))
        kspace = complex_to_channels(self.scan.kspace / scale[:, None]).flatten(1, 2)
        parts = [complex_to_channels(fft2c(self.t1)), kspace, complex_to_channels(self.maps).flatten(1, 2)]
        return {
            "image": torch.cat(parts, dim=1).permute(1, 2, 3, 0),
            "scale": self.scale.permute(1, 2, 0)[None],
            "mask": torch.from_numpy(self.scan.sampling.encoded),
            "index": 0,
            "place": Place(volume.geometry, volume.output_stem, volume.files["t2"]).as_text(),
        }


class CropToImaged(MapTransform):
    """Reconstructions ``(1, h, w, s)`` to the middle that the scanner shows: 320 x 320 in fastMRI.

    Args:
        keys: reconstructions, replaced.
        volumes: of :class:`RawDataset`.
    """

    def __init__(self, keys: KeysCollection, volumes: list[RawVolume]) -> None:
        super().__init__(keys)
        self.volumes = volumes

    def __call__(self, data: Mapping[Hashable, Any]) -> dict[Hashable, Any]:
        output = dict(data)
        matrix = self.volumes[int(data["index"])].geometry.matrix
        for key in self.keys:
            output[key] = to_size(data[key].movedim(-1, 1), matrix).movedim(1, -1)
        return output


def raw_items(kspace: str | None, t1: str | None = None) -> list[dict[str, str]]:
    """What to reconstruct, as an item of a datalist: ``subject`` (the name of outputs), ``t2`` and perhaps ``t1``.

    Raises:
        BundleError: no k-space is given, or both are one file.
    """
    if plain(kspace) is None:
        raise BundleError("This inference needs raw k-space: --kspace FILE is missing.")
    item = {"t2": str(path_of("kspace", kspace))}
    if plain(t1) is not None:
        item["t1"] = str(path_of("t1", t1))
        if Path(item["t1"]).absolute() == Path(item["t2"]).absolute():
            raise BundleError(f"{item['t1']} is given as kspace and as t1; give the T1 of the subject, or none.")
    return [{"subject": Path(item["t2"]).stem, **item}]


def _guide(
    path: str | None, scan: RawScan, zero_filled: Tensor, alignment: Callable[[dict], Mapping]
) -> tuple[Tensor, Mapping[str, Any]]:
    """T1 on the scan's grid, ``(s, h, w)``, scaled as the network takes it, and how it came there."""
    if path is None:
        return torch.zeros_like(zero_filled), {"note": "not given"}
    image = read_image(path)
    t1: Tensor = image
    if image.meta.get("contrast") == scan.contrast != "unknown":
        _logger.warning("%s is of the same contrast as the k-space, %s: is it the T1?", path, scan.contrast)
    acquired = MetaTensor(zero_filled.permute(1, 2, 0)[None].contiguous(), affine=torch.from_numpy(scan.affine))
    acquired.meta["filename_or_obj"] = str(scan.path)
    if len(zero_filled) > 1:
        aligned = alignment({"t1": t1, "acquired": acquired})
        t1, report = aligned["t1"], aligned["alignment"]
    else:
        t1, report = _of_single_slice(t1, scan), {"note": "not registered, as there is a single slice"}
    slices = torch.as_tensor(t1)[0].permute(2, 0, 1)
    scale = robust_maximum(slices)
    return slices / torch.where(scale > 0, scale, torch.ones_like(scale)), report


def _of_single_slice(t1: Tensor, scan: RawScan) -> Tensor:
    """T1 ``(1, h, w, 1)`` on the scan's grid, where it has the voxels of the scanner's image."""
    if tuple(t1.shape[1:]) != (*scan.crop, 1):
        raise BundleError(
            f"{scan.path} has a single slice, to which no T1 can be registered; give a T1 of the same {scan.crop[0]} x "
            f"{scan.crop[1]} x 1 voxels, not of {' x '.join(map(str, t1.shape[1:]))}, or none."
        )
    return to_size(t1[..., 0], scan.kspace.shape[2:]).unsqueeze(-1)


def _geometry(scan: RawScan) -> Geometry:
    """Of the image that is written."""
    affine = moved_affine(scan.affine, scan.kspace.shape[2:], scan.crop)
    shape = (*scan.crop, len(scan.kspace))
    return Geometry(tuple(map(tuple, affine.tolist())), shape, 2, scan.crop)
