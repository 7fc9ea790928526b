"""A cache of aligned slices on disk: each pair is read, aligned and sliced once, then read slice by slice.

Two files a pair (:mod:`bundle.data.cache_entry`). What is missing is prepared here, or by the workers that
:func:`bundle.data.spread.spread_over` names.
"""

from __future__ import annotations

import hashlib
import json
import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch
from ignite.distributed import one_rank_first
from monai.data.utils import pickle_hashing
from monai.transforms import Compose
from torch import Tensor

from ..outputs import check_writable
from ..paths import path_of
from .cache_entry import read_entry, read_slice, write_entry
from .datalist import volume_name
from .dicom_folders import choose_series
from .layouts import stem
from .place import Place
from .slices import Geometry
from .spread import do_each

__all__ = ["PreparedVolume", "PreparedVolumes", "output_stem"]

_FORMAT = 3  # count up when what a cache file holds changes
_ALL = slice(None)
_FILES = "t1", "t2", "lesions", "t1_series", "t2_series"
_LONGEST = 50  # characters of a volume's name in that of its cache files
_logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class PreparedVolume:
    """A pair on disk.

    Attributes:
        name: subject, and session where there are several.
        subject: whom it belongs to; splits and statistics go by subject.
        path: a ``.npy`` file, float32, ``(s, 2, h, w)``: T1, T2, magnitude, in the files' units.
        geometry: where the slices came from.
        alignment: how T1 was brought onto T2's grid, as :class:`~bundle.data.RigidAlignmentd` reports it.
        foreground: for each slice, the fraction of voxels where T2 is above a tenth of the volume's 99th percentile.
        session: None where the datalist names none.
        files: ``t1`` and ``t2``, the files that the slices came from, ``lesions`` where the datalist names a mask;
            ``t1_series`` and ``t2_series``, of DICOM series the UIDs.
    """

    name: str
    subject: str
    path: Path
    geometry: Geometry
    alignment: Mapping
    foreground: tuple[float, ...]
    session: str | None = None
    files: Mapping[str, str] = field(default_factory=dict)

    def __len__(self) -> int:
        return len(self.foreground)

    @property
    def output_stem(self) -> str:
        """See :func:`output_stem`."""
        return output_stem({"subject": self.subject, "session": self.session, **self.files})

    @property
    def place(self) -> Place:
        """Where the slices, and what is made of them, belong."""
        return Place(self.geometry, self.output_stem, self.files["t2"])

    def slices(self, index: int | slice = _ALL) -> tuple[Tensor, Tensor]:
        """T1 and T2: ``(h, w)`` of one slice, or ``(s, h, w)``. One slice costs one slice."""
        read = np.load(self.path)[index] if isinstance(index, slice) else read_slice(self.path, index)
        t1, t2 = torch.from_numpy(read).unbind(dim=-3)
        return t1, t2


class PreparedVolumes(Sequence[PreparedVolume]):
    """The pairs of a datalist, each prepared at its first use and then read from ``cache_dir``.

    A cache file's key holds what it depends on: the paths, sizes and times of both files, and the preprocessing's
    settings. What is damaged (:func:`bundle.data.cache_entry.read_entry`) is prepared anew, with a line that says so.
    Under several processes the first one prepares, the others find the files.

    Args:
        items: ``{"subject", "t1", "t2"}``, with ``"session"`` where there are several.
        preprocessing: item to ``{"t1", "t2", "geometry", "alignment"}`` with slices ``(s, h, w)``.
        cache_dir: folder for the cache; made if need be.

    Raises:
        BundleError: what the preprocessing refuses, and a cache folder that cannot be written.
    """

    def __init__(self, items: Sequence[Mapping], preprocessing: Callable, cache_dir: str | Path) -> None:
        self.cache_dir = path_of("cache_dir", cache_dir)
        settings = _settings(preprocessing)
        with one_rank_first():
            indices = [self._index(item, settings) for item in items]
            self._prepare_missing(items, indices, preprocessing)
            self._volumes = [_volume(item, index, preprocessing) for item, index in zip(items, indices)]

    def __len__(self) -> int:
        return len(self._volumes)

    def __getitem__(self, index):  # noqa: ANN001, ANN204 - as Sequence has it
        return self._volumes[index]

    def _prepare_missing(self, items: Sequence[Mapping], indices: Sequence[Path], preprocessing: Callable) -> None:
        missing = {index: dict(item) for item, index in zip(items, indices) if not index.exists()}
        if missing:
            check_writable(self.cache_dir, "The prepared slices' folder", "another output_dir or cache_dir")
            _logger.info("Preparing %d of %d pairs: reading, aligning, slicing.", len(missing), len(items))
            tasks = [(volume_name(item), (item, index, preprocessing)) for index, item in missing.items()]
            do_each(_prepare, tasks, desc="Preparing pairs", unit="pair")

    def _index(self, item: Mapping, settings: str) -> Path:
        files = [_identity(Path(item[key]), item.get(f"{key}_series")) for key in ("t1", "t2")]
        key = hashlib.sha256(json.dumps([_FORMAT, settings, files]).encode()).hexdigest()[:24]
        return self.cache_dir / f"{volume_name(item)[:_LONGEST]}-{key}.json"


def _prepare(item: dict, index: Path, preprocessing: Callable) -> None:
    """Put a pair into the cache, which another study or training may have done meanwhile."""
    if not index.exists():
        write_entry(index, preprocessing(item))


def _volume(item: Mapping, index: Path, preprocessing: Callable) -> PreparedVolume:
    """A pair of the cache; prepared anew where its files are damaged."""
    stored = read_entry(index)
    if stored is None:
        stored = write_entry(index, preprocessing(dict(item)))
    return PreparedVolume(
        name=volume_name(item),
        subject=str(item["subject"]),
        path=index.with_suffix(".npy"),
        geometry=Geometry.from_dict(stored["geometry"]),
        alignment=stored["alignment"],
        foreground=tuple(stored["foreground"]),
        session=item.get("session"),
        files={key: str(item[key]) for key in _FILES if key in item},
    )


def output_stem(item: Mapping) -> str:
    """What a volume's outputs are called: its T2 file's own name where that is its subject's, else the volume's name.

    Args:
        item: of a datalist.
    """
    own = stem(item.get("t2", ""))
    return own if item["subject"] == own and not item.get("session") else volume_name(item)


def _settings(preprocessing: Callable) -> str:
    """A hash of the preprocessing. A ``Compose`` counts by its transforms, as it carries a random state of its own."""
    return pickle_hashing(
        list(preprocessing.transforms) if isinstance(preprocessing, Compose) else preprocessing
    ).decode()


def _identity(path: Path, series: str | None) -> Any:
    """What changes when a file does, or one of a DICOM series. What cannot be found is for preprocessing to refuse."""
    if series is not None:
        return [_identity(Path(header.filename), None) for header in choose_series(path, series).headers]
    if not path.is_file():
        return str(path), 0, 0
    return str(path.resolve()), path.stat().st_size, path.stat().st_mtime_ns
