"""From the network's output back to the files' units, grid and format."""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence
from typing import Any

import torch
from monai.config import KeysCollection
from monai.data import MetaTensor
from monai.transforms import MapTransform
from torch import Tensor

from ..data.datalist import volume_name
from ..data.place import Place
from ..data.prepared import PreparedVolumes, output_stem
from ..data.slices import slices_to_volume
from ..settings import flag
from .volume_files import SUFFIX, UNCERTAINTY

__all__ = ["ToFileGridd", "ToMatrixGridd", "UndoScaled", "output_names", "with_figures"]


class UndoScaled(MapTransform):
    """Multiply the reconstruction by what its zero-filled image was divided by: back to the T2 file's units.

    Args:
        keys: reconstructions ``(1, h, w, s)``, replaced.
        scale_key: ``(1, 1, 1, s)``.
        allow_missing_keys: whether keys that are not there are passed over.
    """

    def __init__(
        self, keys: KeysCollection = "pred", scale_key: Hashable = "scale", allow_missing_keys: bool = False
    ) -> None:
        super().__init__(keys, allow_missing_keys)
        self.scale_key = scale_key

    def __call__(self, data: Mapping[Hashable, Tensor]) -> dict[Hashable, Tensor]:
        output = dict(data)
        for key in self.key_iterator(output):
            output[key] = data[key].float() * data[self.scale_key].to(data[key].device)
        return output


class ToMatrixGridd(MapTransform):
    """Images on the scan's matrix, the grid that the metrics are computed on, named after the subject.

    Args:
        keys: images ``(1, h, w, s)``; each becomes a MetaTensor that :class:`~bundle.evaluation.SaveVolumed` can write.
        volumes: the prepared pairs; the item's ``index`` says which one an image belongs to.
        allow_missing_keys: whether keys that are not there are passed over.
    """

    def __init__(self, keys: KeysCollection, volumes: PreparedVolumes, allow_missing_keys: bool = False) -> None:
        super().__init__(keys, allow_missing_keys)
        self.volumes = volumes

    def __call__(self, data: Mapping[Hashable, Tensor]) -> dict[Hashable, Tensor]:
        volume = self.volumes[int(data["index"])]
        output = dict(data)
        for key in self.key_iterator(output):
            affine = torch.from_numpy(volume.geometry.matrix_affine)
            meta = {
                "stem": volume.name,
                "t2_file": volume.files["t2"],
                "matrix_to_file": volume.geometry.matrix_to_file,
            }
            output[key] = MetaTensor(data[key].cpu(), affine=affine, meta=meta)
        return output


class ToFileGridd(MapTransform):
    """Images on the grid of the T2 file (its shape and affine), named as :func:`bundle.data.output_stem` says.

    Args:
        keys: images ``(1, h, w, s)``; each becomes a MetaTensor that :class:`~bundle.evaluation.SaveVolumed` can write.
        place_key: entry with the text of their :class:`~bundle.data.Place`.
        allow_missing_keys: whether keys that are not there are passed over.
    """

    def __init__(self, keys: KeysCollection, place_key: Hashable = "place", allow_missing_keys: bool = False) -> None:
        super().__init__(keys, allow_missing_keys)
        self.place_key = place_key

    def __call__(self, data: Mapping[Hashable, Any]) -> dict[Hashable, Any]:
        place = Place.from_text(data[self.place_key])
        output = dict(data)
        for key in self.key_iterator(output):
            image = slices_to_volume(data[key][0].cpu().movedim(-1, 0), place.geometry)
            affine = torch.tensor(place.geometry.affine, dtype=torch.float64)
            output[key] = MetaTensor(image[None], affine=affine, meta={"stem": place.stem, "t2_file": place.t2_file})
        return output


def output_names(
    items: Sequence[Mapping], postfix: str, output_format: str = "nifti", uncertainty: bool = False
) -> list[str]:
    """What an inference writes: of each item of a datalist an image, or the folder of one, and the report beside it;
    and the uncertainty.
    """
    own = SUFFIX if output_format == "nifti" else ""
    endings = [f"{postfix}{own}", f"{postfix}.json", *[UNCERTAINTY + SUFFIX] * flag("save_uncertainty", uncertainty)]
    return [f"{output_stem(item)}_{ending}" for item in items for ending in endings]


def with_figures(names: Sequence[str], items: Sequence[Mapping], uncertainty: bool = False) -> list[str]:
    """What an evaluation writes: ``names``, and of each item of a datalist a figure, and one of its uncertainty."""
    endings = ["", *[f"_{UNCERTAINTY}"] * flag("save_uncertainty", uncertainty)]
    return [*names, *(f"figures/{volume_name(item)}{ending}.png" for item in items for ending in endings)]
