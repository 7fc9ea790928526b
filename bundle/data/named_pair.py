"""The T1 of a T2 that comes alone, as a viewer's server hands it on: the one that is given, or found beside it by name.

T1 is looked for in T2's folder and in the folders in it, of which one named ``T1`` is the usual place: viewers list
what lies in a folder of studies as studies of their own, and not what lies deeper. Names count as
:mod:`bundle.data.layouts` has them: ``a_T2.nii.gz`` has its T1 in ``T1/a_T1.nii.gz`` or ``a_T1.nii.gz``, and
``a.nii.gz`` in ``T1/a.nii.gz``.
"""

from __future__ import annotations

import os
from collections.abc import Hashable, Mapping
from pathlib import Path
from typing import Any

from monai.transforms import Transform

from ..errors import BundleError
from ..paths import expanded
from ..settings import plain
from .candidates import choose_pair
from .inference_pair import inference_items
from .layouts import NamedImage, identify, stem

__all__ = ["NamedPaird", "t1_beside"]


class NamedPaird(Transform):
    """Put ``subject``, ``t1``, ``t2`` and ``files`` beside ``image``, a T2's path, as inference has them of a pair.

    ``t1`` may name the file, as a path or relative to T2's folder; without it, or with None, :func:`t1_beside` looks.
    Where both are folders of DICOM series, ``t1_series`` and ``t2_series`` may choose one, and stand in ``files``.

    Args:
        image_key: entry with the path of the T2 file.
    """

    def __init__(self, image_key: Hashable = "image") -> None:
        self.image_key = image_key

    def __call__(self, data: Mapping[Any, Any]) -> dict[Any, Any]:
        """A copy of ``data`` with the four; ``files`` keeps both paths, and series.

        Raises:
            BundleError: ``image`` or ``t1`` is no path, there is no T1, a file is no volume, or both are one image.
        """
        t2, t1 = data.get(self.image_key), plain(data.get("t1"))  # type: Any, Any
        for name, value in (("The image", t2), ("t1", "unset" if t1 is None else t1)):
            if not isinstance(value, (str, os.PathLike)) or not str(value):
                raise BundleError(f"{name} is the path of a NIfTI file, not {value!r}.")
        path = Path(t2)
        guide = t1_beside(path) if t1 is None else path.parent / expanded(t1)
        item = inference_items(
            str(guide), str(path), "", t1_series=data.get("t1_series"), t2_series=data.get("t2_series")
        )[0]
        return {**data, **item, "files": {key: item[key] for key in item if key != "subject"}}


def t1_beside(t2: str | os.PathLike[str]) -> Path:
    """The T1 of a T2 file, by the names of files; see the module.

    Raises:
        BundleError: there is none, there are several of which none is better, or the file is a T1 itself by its name.
    """
    path = Path(t2)
    own = _named(path)
    if own.contrast == "T1":
        raise BundleError(f"{path} is a T1 by its name; name the T2, and keep T1 images in a folder T1 beside it.")
    near = [path.parent, *sorted(folder for folder in path.parent.glob("*/") if not folder.name.startswith("."))]
    files = [file for folder in near for file in sorted(folder.glob("*")) if stem(file) != file.name and file != path]
    images = [identify(file, path.parent) for file in files]
    guides = [one for one in images if isinstance(one, NamedImage) and one.contrast == "T1" and one.key == own.key]
    pair, remarks = choose_pair([own, *guides], path.parent) if guides else (None, [])
    if pair is None:
        why = f"has no T1 that could be told: {remarks[0]}" if remarks else "has no T1 beside it by name"
        raise BundleError(f"{path} {why}; put it at {_usual_place(path)}, or give its path as t1.")
    return pair[0]


def _named(path: Path) -> NamedImage:
    """T2 by its name, or a file without a contrast in its name as if it lay in a folder T2."""
    own = identify(path, path.parent)
    own = identify(path.parent / "T2" / path.name, path.parent) if isinstance(own, str) else own
    if isinstance(own, str):
        raise BundleError(
            f"{path} is no T2 by its name, which is one of {own.removesuffix(' by name')}; give t1 by path."
        )
    return own._replace(path=path)


def _usual_place(path: Path) -> Path:
    name = path.name
    for two, one in (("T2", "T1"), ("t2", "t1")):
        head, mark, tail = name.rpartition(two)
        name = f"{head}{one}{tail}" if mark else name
    return path.parent / "T1" / name
