"""What a setting may be: types with their range, and the words in which a wrong value is refused."""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any, Literal, get_args

from pydantic import AfterValidator, BeforeValidator, Field

from ..errors import BundleError

if TYPE_CHECKING:
    import torch

__all__ = [
    "Above0",
    "Acceleration",
    "CenterFraction",
    "Device",
    "Flag",
    "FlagOrNull",
    "From0",
    "From0To1000",
    "Guidance",
    "Guide",
    "Matrix",
    "MaybePath",
    "OutputFormat",
    "Path",
    "Pattern",
    "Phrase",
    "NoiseUnit",
    "RegisterTo",
    "Seed",
    "SeriesOrNull",
    "Share",
    "Stage",
    "Text",
    "Visible",
    "Whole0",
    "Whole1",
    "Whole1OrNull",
    "Whole2",
    "Wholes",
    "checked_device",
]


@dataclass(frozen=True)
class Phrase:
    """What the values are, to follow *is* in a sentence."""

    text: str


def checked_device(device: Any) -> torch.device:
    """Where to compute, on this machine.

    Args:
        device: ``cpu``, ``cuda``, ``cuda:1``, ``mps``, as torch names them, or what torch makes of it.

    Raises:
        BundleError: torch knows no such device, or this machine has none.
    """
    import torch  # takes seconds, and commands that find files need none of it

    try:
        found = torch.device(device) if isinstance(device, (str, torch.device)) else None
    except RuntimeError:  # no name of torch's
        found = None
    if found is None or found.type == "meta":
        raise BundleError(f"device is cpu, cuda, cuda:0, cuda:1, ... or mps, not {device!r}.")
    there = _devices()
    if found.type in ("cpu", "cuda", "mps", "xpu") and f"{found.type}:{found.index or 0}" not in there:
        names = ", ".join("cpu" if name == "cpu:0" else name for name in there)
        raise BundleError(f"There is no device {str(device)!r} on this machine, as far as torch sees, only {names}.")
    return found


def _devices() -> list[str]:
    """Those of this machine, with their numbers."""
    import torch

    accelerator = torch.accelerator.current_accelerator(check_available=True)
    count = 0 if accelerator is None else torch.accelerator.device_count()
    return ["cpu:0"] + [f"{accelerator.type}:{number}" for number in range(count) if accelerator is not None]


def _as_flag(value: Any) -> Any:
    return bool(value) if isinstance(value, int) and value in (0, 1) else value


def _as_list(value: Any) -> Any:
    return [value] if isinstance(value, str) else value


def _as_device(value: Any) -> Any:
    checked_device(value)
    return value


def _as_path(value: Any) -> Any:
    """Numbers and lists too: MONAI's command line makes them of names, and :func:`bundle.paths.path_of` judges them."""
    if isinstance(value, bool) or not isinstance(value, (str, int, float, list, os.PathLike)) or value == "":
        raise ValueError("no path")
    return value


_Patterns = Literal["random", "uniform", "radial", "spiral", "fastmri_random", "fastmri_equispaced"]
_Registered = Literal["acquired", "reconstruction", "t2"]
_NoiseUnit = Literal["mean", "foreground_mean", "snr_db"]
_Guidances = Literal["CS", "SC", "SC-CS", "concatenation"]
_Multiple = Annotated[int, Field(ge=16, le=4096, multiple_of=16)]
_Pair = Annotated[list[_Multiple], Field(min_length=2, max_length=2)]
_Names = Annotated[list[Literal["t1", "t2"]], Field(min_length=1, max_length=2)]


def _one_of(choices: Any) -> Phrase:
    *others, last = get_args(choices)
    return Phrase(f"{', '.join(others)} or {last}")


Whole0 = Annotated[int, Field(ge=0), Phrase("a whole number from 0 on")]
Whole1 = Annotated[int, Field(ge=1), Phrase("a whole number from 1 on")]
Whole2 = Annotated[int, Field(ge=2), Phrase("a whole number from 2 on")]
Wholes = Annotated[list[Annotated[int, Field(ge=1)]], Field(min_length=1), Phrase("a list of whole numbers from 1 on")]
Whole1OrNull = Annotated[Annotated[int, Field(ge=1)] | None, Phrase("a whole number from 1 on, or null for all")]
Seed = Annotated[int, Field(ge=0, lt=2**32), Phrase("a whole number from 0 to 4294967295")]
SeriesOrNull = Annotated[int | str | None, Phrase("a DICOM series' number or UID, or null")]
Above0 = Annotated[float, Field(gt=0, allow_inf_nan=False), Phrase("a number above 0")]
From0 = Annotated[float, Field(ge=0, allow_inf_nan=False), Phrase("a number from 0 on")]
From0To1000 = Annotated[float, Field(ge=0, le=1000, allow_inf_nan=False), Phrase("a number from 0 to 1000")]
Share = Annotated[float, Field(ge=0, le=1, allow_inf_nan=False), Phrase("a number from 0 to 1")]
Acceleration = Annotated[
    float, Field(ge=1, allow_inf_nan=False), Phrase("a number from 1 (all is sampled) on, as 6 for 6x")
]
CenterFraction = Annotated[
    Annotated[float, Field(gt=0, lt=1, allow_inf_nan=False)] | None,
    Phrase("a number between 0 and 1, as 0.08 for 8 %, or null"),
]
Flag = Annotated[bool, BeforeValidator(_as_flag), Phrase("true or false")]
FlagOrNull = Annotated[bool | None, BeforeValidator(_as_flag), Phrase("true, false or null")]
Pattern = Annotated[_Patterns, _one_of(_Patterns)]
Guidance = Annotated[_Guidances, _one_of(_Guidances)]
Stage = Annotated[Literal["both", "image"], _one_of(Literal["both", "image"])]
OutputFormat = Annotated[Literal["nifti", "dicom"], _one_of(Literal["nifti", "dicom"])]
RegisterTo = Annotated[_Registered, _one_of(_Registered)]
NoiseUnit = Annotated[_NoiseUnit, _one_of(_NoiseUnit)]
Visible = Annotated[_Names, BeforeValidator(_as_list), Phrase("a list of t1, t2 or both")]
Matrix = Annotated[
    _Multiple | _Pair | Literal["acquired"] | None,
    Phrase("a multiple of 16 up to 4096, a pair of them, acquired, or null"),
]
Guide = Annotated[None, Phrase("null or a component of bundle.acquisition")]
Text = Annotated[str | int | float, Field(union_mode="left_to_right"), Phrase("a name")]
Device = Annotated[Any, AfterValidator(_as_device), Phrase("cpu, cuda, cuda:0, cuda:1, ... or mps")]
Path = Annotated[Any, AfterValidator(_as_path), Phrase("a path")]
MaybePath = Annotated[
    Any, AfterValidator(lambda value: value if value is None else _as_path(value)), Phrase("a path or null")
]
