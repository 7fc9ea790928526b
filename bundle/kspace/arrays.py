"""K-space in a ``.npy`` file, with a small JSON of the same name beside it that says what its axes are.

{"axes": ["coil", "row", "column"], "voxel_mm": [0.9, 0.9, 3], "contrast": "T1"}
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any, Literal

import numpy as np
from pydantic import BaseModel, ConfigDict, Field, FiniteFloat, PositiveInt, ValidationError

from ..errors import BundleError
from .scan import RawScan, axial_affine, make_scan

__all__ = ["ArrayDescription", "read_array"]

_ORDER = ("slice", "coil", "row", "column")
_Size = Annotated[float, Field(gt=0, allow_inf_nan=False)]
_Row = Annotated[list[FiniteFloat], Field(min_length=4, max_length=4)]
_WITHOUT = {2: ("row", "column"), 4: _ORDER}  # number of axes -> what they are where nothing says


class ArrayDescription(BaseModel):
    """What the JSON may hold.

    Attributes:
        axes: of the array, in its order; row is the readout where there is one.
        voxel_mm: of rows, columns and slices.
        affine: 4x4, voxel (row, column, slice) to RAS mm, in place of ``voxel_mm``.
        crop: matrix of the image, the middle of the whole one.
        contrast: in words.
        acceleration: nominal.
    """

    model_config = ConfigDict(extra="forbid")

    axes: list[Literal["slice", "coil", "row", "column"]] | None = None
    voxel_mm: list[_Size] | None = Field(default=None, min_length=3, max_length=3)
    affine: list[_Row] | None = Field(default=None, min_length=4, max_length=4)
    crop: list[PositiveInt] | None = Field(default=None, min_length=2, max_length=2)
    contrast: str = "unknown"
    acceleration: float | None = Field(default=None, ge=1, allow_inf_nan=False)


def read_array(path: Path) -> RawScan:
    """Read a file.

    Raises:
        BundleError: it is no complex array, nothing says what its axes are, or its crop is larger than its matrix.
    """
    described = _description(path)
    kspace = _arranged(_load(path), described.axes, path)
    slices, _, height, width = kspace.shape
    if described.crop is not None and (described.crop[0] > height or described.crop[1] > width):
        raise BundleError(
            f"The crop in {path.with_suffix('.json')}, {' x '.join(map(str, described.crop))}, is larger than the "
            f"matrix of {path}, {height} rows x {width} columns; give the image's own."
        )
    remarks, affine = [], None
    if described.affine is not None:
        affine = np.array(described.affine, dtype=float)
    elif described.voxel_mm is not None:
        affine = axial_affine(described.voxel_mm, (height, width, slices))
        remarks.append("position and orientation are unknown: taken for axial and centred")
    return make_scan(
        path,
        "array",
        kspace,
        name=path.stem,
        affine=affine,
        crop=described.crop,
        nominal=described.acceleration,
        contrast=described.contrast,
        remarks=remarks,
    )


def _arranged(kspace: np.ndarray, told: Sequence[str] | None, path: Path) -> np.ndarray:
    """``(slices, coils, h, w)``."""
    axes = told or _WITHOUT.get(kspace.ndim)
    if axes is None or len({*axes}) < len(axes) or len(axes) != kspace.ndim or not {"row", "column"} <= {*axes}:
        raise BundleError(
            f"The axes of {path}, of shape {kspace.shape}, are not told, or wrongly; write them into "
            f'{path.with_suffix(".json")}, as {{"axes": ["coil", "row", "column"]}}.'
        )
    kspace = kspace.transpose([axes.index(name) for name in _ORDER if name in axes])
    return np.expand_dims(kspace, [_ORDER.index(name) for name in _ORDER if name not in axes])


def _load(path: Path) -> np.ndarray:
    try:
        kspace = np.load(path, allow_pickle=False)
    except (OSError, ValueError, EOFError) as error:
        raise BundleError(
            f"{path} cannot be read as an array of numpy: it is cut short, damaged or no such file."
        ) from error
    if not isinstance(kspace, np.ndarray) or not np.iscomplexobj(kspace) or kspace.ndim < 2 or 0 in kspace.shape:
        raise BundleError(
            f"{path} holds no k-space: that is a complex array of 2 to 4 axes, and what came is {_kind(kspace)}."
        )
    return kspace


def _kind(array: object) -> str:
    return f"{array.dtype} of shape {array.shape}" if isinstance(array, np.ndarray) else type(array).__name__


def _description(path: Path) -> ArrayDescription:
    beside = path.with_suffix(".json")
    if not beside.is_file():
        return ArrayDescription()
    try:
        description = ArrayDescription.model_validate(json.loads(beside.read_text(encoding="utf-8")))
    except ValidationError as error:
        raise BundleError(f"{beside}: {_sentence(error.errors()[0])}.") from None
    except (OSError, ValueError) as error:
        raise BundleError(f"{beside} is not readable JSON ({error}); mend it.") from error
    if description.affine is not None and np.linalg.det(np.array(description.affine)[:3, :3]) == 0:
        raise BundleError(f"The affine in {beside} is singular: its three axes do not span space; mend it.")
    return description


def _sentence(error: Mapping[str, Any]) -> str:
    """What is wrong in the JSON, and where."""
    place = ".".join(map(str, error["loc"])) or "the content"
    if error["type"] == "extra_forbidden":
        return f"{place} is not a key; known: {', '.join(ArrayDescription.model_fields)}"
    return f"{error['msg'].replace('Input', place, 1)}, not {error['input']!r}"
