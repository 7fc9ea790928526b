"""The embedded demo data: T1/T2 pairs of simulated people, as NIfTI in the IXI layout with a ``datalist.json``.

Each person (:mod:`bundle.demo.person`) is scanned twice, as in IXI (:mod:`bundle.demo.scanner`):

* T2w: axial, 24 slices of 5 mm, 1.2 mm in plane, a little oblique; with light noise.
* T1w: sagittal, 1.5 mm slices of 1.2 mm pixels, another matrix; and the person has moved in between by some degrees and
  millimetres. No header knows of that, so that the alignment has work to do. ``truth.json`` does: for each subject
  ``t2_to_t1``, the rigid 4x4 matrix (RAS, mm) that takes a point of the T2 scan to the same tissue in the T1 scan, as a
  resampler on T2's grid needs it, and ``lesions``, their centres (RAS, mm) in the T2 scan.

The noise is complex Gaussian, hence Rician in the magnitude images that are written. Licence of the template: see
:mod:`bundle.demo.tissues`.
"""

from __future__ import annotations

import json
import logging
import os
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import nibabel as nib
import numpy as np

from ..data.datalist import DATALIST_NAME, write_datalist
from ..data.pairs import find_pairs
from ..data.splits import SPLITS, split_by_subject
from ..errors import BundleError
from ..paths import expanded
from .person import individual_head
from .random_fields import Volume
from .scanner import axial_grid, draw_movement, measure, sagittal_grid
from .tissues import template_head

__all__ = ["make_demo_dataset"]

TRUTH_NAME = "truth.json"
_VERSION = 1  # of the simulation: data of another version are not taken for complete
_UNITS = {"T1": 900.0, "T2": 1500.0}  # stored value of a signal of 1
_NOISE = {"T1": 0.0022, "T2": 0.0020}  # about 2 % and 1 % of white matter's signal

_logger = logging.getLogger(__name__)


def make_demo_dataset(
    dataset_dir: str | Path, subjects: tuple[int, int, int] = (5, 1, 2), matrix: int = 192, seed: int = 0
) -> str:
    """Make the demo data, unless the folder already holds them.

    Args:
        dataset_dir: a folder to be made; it must not exist, be empty, or hold the same data.
        subjects: how many people stand in the training, validation and test list.
        matrix: T2 pixels per side of a slice; the field of view stays 230 mm.
        seed: the same seed gives the same voxels.

    Returns:
        ``dataset_dir`` as an absolute path.

    Raises:
        BundleError: the folder holds something else or cannot be written, or nilearn is missing.
    """
    target = expanded(dataset_dir).absolute()
    settings = {"version": _VERSION, "subjects": list(subjects), "matrix": matrix, "seed": seed}
    if _holds(target, settings):
        return str(target)
    if target.exists() and (not target.is_dir() or any(target.iterdir())):
        raise BundleError(
            f"{target} holds something other than the demo data asked for; name another folder, or "
            f"delete it to have them made anew."
        )
    _logger.info("Making the demo data in %s: %d simulated people, about a minute ...", target, sum(subjects))
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        # built beside and renamed: an interrupted run leaves no half a data set
        with TemporaryDirectory(dir=target.parent, prefix=f".{target.name}-", ignore_cleanup_errors=True) as scratch:
            draft = Path(scratch, target.name)
            _build(draft, settings)
            try:
                os.replace(draft, target)
            except OSError:
                if not _holds(target, settings):  # another process was faster
                    raise
    except OSError as error:
        raise BundleError(
            f"The demo data cannot be written to {target}: {error.strerror or error}; set dataset_dir to "
            f"a folder that can be written."
        ) from error
    return str(target)


def _holds(folder: Path, settings: dict[str, Any]) -> bool:
    """Whether the folder holds complete demo data of these settings; truth.json names them, and every file."""
    try:
        truth = json.loads((folder / TRUTH_NAME).read_text(encoding="utf-8"))
        names = [file for person in truth["subjects"].values() for file in (person["t1"], person["t2"])]
        return truth["settings"] == settings and all((folder / name).is_file() for name in (*names, DATALIST_NAME))
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return False


def _build(folder: Path, settings: dict[str, Any]) -> None:
    for contrast in ("T1", "T2"):
        (folder / f"IXI-{contrast}").mkdir(parents=True)
    numbers = range(1, sum(settings["subjects"]) + 1)
    scan = partial(_scan_person, template_head(), folder, settings["matrix"], settings["seed"])
    with ThreadPoolExecutor(2) as pool:  # numpy and scipy let go of the interpreter's lock
        truth = dict(zip((f"IXI{900 + number}" for number in numbers), pool.map(scan, numbers)))
    # paired and split as a user's own data are
    sizes = dict(zip(SPLITS, settings["subjects"]))
    write_datalist(split_by_subject(find_pairs(folder).items, sizes), folder / DATALIST_NAME)
    (folder / TRUTH_NAME).write_text(json.dumps({"settings": settings, "subjects": truth}, indent=1), encoding="utf-8")


def _scan_person(template: Volume, folder: Path, matrix: int, seed: int, number: int) -> dict[str, object]:
    """Write one person's T1 and T2, and return what is true of them."""
    rng = np.random.default_rng([seed, number])
    # lesions in every other person, and in the same ones for every seed
    head = individual_head(template, rng, lesions=int(rng.integers(3, 7)) if number % 2 == 0 else 0)
    moved = draw_movement(rng)
    grids = {"T1": sagittal_grid(), "T2": axial_grid(matrix, rng.uniform(-6, 6))}
    files = {}
    for contrast, volume, pose in (("T1", head.t1, moved), ("T2", head.t2, np.eye(4))):
        measured = measure(volume, grids[contrast], pose, _NOISE[contrast], rng)
        files[contrast.lower()] = f"IXI-{contrast}/IXI{900 + number}-Demo-{number:04d}-{contrast}.nii.gz"
        _save(_UNITS[contrast] * measured, grids[contrast].affine, folder / files[contrast.lower()])
    return {**files, "t2_to_t1": moved.tolist(), "lesions": head.lesions}


def _save(values: Volume, affine: np.ndarray, path: Path) -> None:
    """Write whole numbers, with the affine in both of the header's fields."""
    image = nib.Nifti1Image(np.rint(values).astype(np.int16), affine)
    image.set_qform(affine, code=1)
    image.set_sform(affine, code=1)
    image.header.set_xyzt_units("mm")
    nib.save(image, path)
