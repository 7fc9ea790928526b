"""From the network's output back to the files' units, grid and format."""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence

import torch
from monai.config import KeysCollection
from monai.data import MetaTensor
from monai.transforms import MapTransform, SaveImaged
from torch import Tensor

from ..data.prepared import PreparedVolume, PreparedVolumes
from ..data.slices import slices_to_volume

__all__ = ["ToFileGridd", "ToMatrixGridd", "UndoScaled", "output_name", "output_names", "save_volumed"]


class UndoScaled(MapTransform):
    """Multiply the reconstruction by what its zero-filled image was divided by: back to the T2 file's units.

    Args:
        keys: reconstructions ``(1, h, w, s)``, replaced.
        scale_key: ``(1, 1, 1, s)``.
    """

    def __init__(self, keys: KeysCollection = "pred", scale_key: Hashable = "scale") -> None:
        super().__init__(keys)
        self.scale_key = scale_key

    def __call__(self, data: Mapping[Hashable, Tensor]) -> dict[Hashable, Tensor]:
        output = dict(data)
        for key in self.keys:
            output[key] = data[key].float() * data[self.scale_key].to(data[key].device)
        return output


class _ToVolumed(MapTransform):
    """Images ``(1, h, w, s)`` to MetaTensors that ``SaveImaged`` can write.

    Args:
        keys: images to turn into volumes; each is replaced.
        volumes: the prepared pairs; the item's ``index`` says which one an image belongs to.
    """

    def __init__(self, keys: KeysCollection, volumes: PreparedVolumes) -> None:
        super().__init__(keys)
        self.volumes = volumes


class ToMatrixGridd(_ToVolumed):
    """Images on the scan's matrix, the grid that the metrics are computed on, named after the subject."""

    def __call__(self, data: Mapping[Hashable, Tensor]) -> dict[Hashable, Tensor]:
        volume = self.volumes[int(data["index"])]
        output = dict(data)
        for key in self.keys:
            affine = torch.from_numpy(volume.geometry.matrix_affine)
            output[key] = MetaTensor(data[key].cpu(), affine=affine, meta={"filename_or_obj": f"{volume.name}.nii.gz"})
        return output


class ToFileGridd(_ToVolumed):
    """Images on the grid of the T2 file (its shape and affine), named after the subject."""

    def __call__(self, data: Mapping[Hashable, Tensor]) -> dict[Hashable, Tensor]:
        volume = self.volumes[int(data["index"])]
        output = dict(data)
        for key in self.keys:
            image = slices_to_volume(data[key][0].cpu().movedim(-1, 0), volume.geometry)
            affine = torch.tensor(volume.geometry.affine, dtype=torch.float64)
            output[key] = MetaTensor(image[None], affine=affine, meta={"filename_or_obj": f"{volume.name}.nii.gz"})
        return output


def save_volumed(keys: KeysCollection, postfix: str, output_dir: str) -> SaveImaged:
    """MONAI's ``SaveImaged`` as this bundle uses it: ``output_dir/<name>_<postfix>.nii.gz``, float32, not resampled."""
    return SaveImaged(
        keys,
        output_dir=output_dir,
        output_postfix=postfix,
        output_ext=".nii.gz",
        writer="NibabelWriter",
        resample=False,
        separate_folder=False,
        print_log=False,
    )


def output_name(volume: PreparedVolume, postfix: str, suffix: str = ".nii.gz") -> str:
    """The file that :func:`save_volumed` makes of a volume, or one beside it with another suffix."""
    return f"{volume.name}_{postfix}{suffix}"


def output_names(volumes: Sequence[PreparedVolume], postfix: str) -> list[str]:
    """What an inference writes: each volume's image, and the report beside it."""
    return [output_name(volume, postfix, suffix) for volume in volumes for suffix in (".nii.gz", ".json")]
