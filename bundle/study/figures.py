"""All figures of a study, drawn from what its runs left on disk and written to its folder ``figures``."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from itertools import product
from pathlib import Path
from typing import Any

import nibabel
import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from nibabel.filebasedimages import ImageFileError

from ..counted import counted
from ..data import volume_name
from ..errors import BundleError
from ..plotting import save_figure
from .comparison import methods_figure, middle_slice
from .curves import QUALITY, add_heading, conditions_figure, quality_figure, sweep_figure
from .names import AS_TRAINED
from .plan import Study
from .statistics import average_seeds

__all__ = ["Drawing", "draw_all"]

RECONSTRUCTION, REFERENCE, T1 = "_recon.nii.gz", "_reference.nii.gz", "_t1.nii.gz"
ZERO_FILLED = "zero_filled"  # the method that is the level of comparison where a study has it
Drawn = Iterator[tuple[str, str, str, Figure]]  # key, what it shows, note, figure


@dataclass(frozen=True)
class Drawing:
    """A PNG file, its kind, ``comparison``, ``sweep``, ``quality`` or ``conditions``, and what it shows."""

    kind: str
    caption: str
    path: Path


def draw_all(study: Study, results: pd.DataFrame, output_dir: str | Path) -> list[Drawing]:
    """Draw all figures of a study to its ``output_dir/figures``; what has no results yet is left out.

    ``results`` are those of ``results.csv``. BundleError where a file cannot be read or written.
    """
    kinds = {"comparison": _comparisons, "sweep": _sweeps, "quality": _qualities, "conditions": _conditions}
    results, folder = results[results.method.isin(list(study.methods))], Path(output_dir)
    drawings = []
    for (kind, draw), dataset, scan in product(kinds.items(), study.datasets, study.scans):
        rows = results[(results.dataset == dataset) & (results.scan == scan)]
        for key, what, note, figure in draw(study, rows, folder):
            name = "-".join(filter(None, (kind, dataset, scan, key)))
            caption = f"{study.datasets[dataset].label}, {study.scans[scan].label}: {what}"
            add_heading(figure, caption, note)
            drawings.append(Drawing(kind, caption, folder / "figures" / f"{name}.png"))
            save_figure(figure, drawings[-1].path)
    return drawings


def _comparisons(study: Study, rows: pd.DataFrame, folder: Path) -> Drawn:
    """For each table a slice by all its methods that have results, each with its first seed."""
    rows = rows[(rows.condition == AS_TRAINED) & rows.seed.isin(study.seeds)]
    first = rows.groupby("method").seed.transform(lambda seeds: min(seeds, key=study.seeds.index))
    own = dict(list(rows[rows.seed == first].groupby("method")))
    for key, table in study.tables.items():
        methods = {study.methods[name].label: own[name] for name in table.methods if name in own}
        enough = len(methods) >= max(1, min(2, len(table.methods)))
        if found := _compare(methods, folder) if enough else None:
            yield key, table.title, found[1], found[0]


def _compare(methods: Mapping[str, pd.DataFrame], folder: Path) -> tuple[Figure, str] | None:
    """The middle slice of the first volume, by name, that all methods reconstructed as trained, and what it shows.

    ``methods`` has for each label the rows of one scan and one seed, all its folds. None where no volume is everyone's,
    or of one matrix; BundleError where a volume cannot be read.
    """
    files = {label: _volumes(folder, rows) for label, rows in methods.items()}
    volume = min(set.intersection(*map(set, files.values())), default=None)
    if volume is None:
        return None
    images = {label: _read(found[volume]) for label, found in files.items()}
    first = next(iter(files.values()))[volume]
    reference, t1 = (_read(first.with_name(volume + end)) for end in (REFERENCE, T1))
    if reference is None or any(image.shape != reference.shape for image in images.values()):
        return None
    index = middle_slice(np.asanyarray(reference.dataobj))
    rows = {label: _row(own, volume) for label, own in methods.items()}
    figure = methods_figure(
        {label: image.get_fdata()[..., index] for label, image in images.items()},
        reference.get_fdata()[..., index],
        t1=None if t1 is None else t1.get_fdata()[..., index],
        metrics={label: row[["psnr", "ssim"]].astype(float).to_dict() for label, row in rows.items()},
        spacing=tuple(np.linalg.norm(reference.affine[:3, :2], axis=0)),
        rot90=1 if reference.affine[1, 1] >= 0 else -1,
    )
    whole = all(row["name"] == volume for row in rows.values())
    over = "the whole volume" if whole else "all volumes of the subject"
    seeds = ", ".join(sorted({str(row.seed) for row in rows.values()}))
    return figure, f"{volume}, slice {index + 1} of {reference.shape[2]}; PSNR and SSIM of {over}, seed {seeds}"


def _volumes(folder: Path, rows: pd.DataFrame) -> dict[str, Path]:
    """Volume -> reconstruction."""
    found = [path for run in rows.folder.unique() for path in (folder / run).glob(f"conditions/{AS_TRAINED}/*/*")]
    return {path.name.removesuffix(RECONSTRUCTION): path for path in found if path.name.endswith(RECONSTRUCTION)}


def _row(rows: pd.DataFrame, volume: str) -> pd.Series:
    """The row of a volume's subject: a volume is named ``subject`` or ``subject_session``."""
    rows = rows.assign(name=[volume_name({"subject": str(subject)}) for subject in rows.subject])
    owners = [row for _, row in rows.iterrows() if f"{volume}_".startswith(f"{row['name']}_")]
    return max(owners, key=lambda row: len(row["name"]))


def _read(path: Path) -> Any:
    """The image; None where there is no file."""
    try:
        return nibabel.load(path) if path.is_file() else None
    except (OSError, ImageFileError) as error:
        raise BundleError(f"The volume {path} cannot be read ({error}); run the study again to make it.") from error


def _sweeps(study: Study, rows: pd.DataFrame, folder: Path) -> Drawn:
    """For each sweep, if two values or more have results."""
    groups = _by_method(rows)
    for key, sweep in study.sweeps.items():
        points = {value: groups[name] for value, name in study.points(key).items() if name in groups}
        if len(points) > 1:
            values = {value: {name: group[name] for name in QUALITY} for value, group in points.items()}
            default = next((value for value, name in study.points(key).items() if name == sweep.method), None)
            note = f"{study.methods[sweep.method].label}, {_over(points.values())}"
            yield key, sweep.label, note, sweep_figure(values, sweep.label, default)


def _qualities(study: Study, rows: pd.DataFrame, folder: Path) -> Drawn:
    """Quality and cost of all methods but those that only a sweep asks for."""
    found, columns = _by_method(rows), [*QUALITY, "parameters", "seconds_per_slice"]
    groups = {name: found[name] for name in study.main_methods if name in found}
    means = {name: group[columns].mean(skipna=False) for name, group in groups.items()}
    zero_filled = means.pop(ZERO_FILLED, None)
    if means:
        figure = quality_figure({study.methods[name].label: row for name, row in means.items()}, zero_filled)
        yield "", "quality and cost", _over(groups.values()), figure


def _conditions(study: Study, rows: pd.DataFrame, folder: Path) -> Drawn:
    """Networks that were tested otherwise than trained."""
    trained, others = _by_method(rows), {key: _by_method(rows, key) for key in study.conditions}
    values: dict[str, dict[str, float]] = {}
    for (name, method), (key, condition) in product(study.methods.items(), study.conditions.items()):
        if name in others[key]:
            values.setdefault(method.label, {})[condition.label] = others[key][name].psnr.mean(skipna=False)
    if values:
        over = _over(group for groups in (trained, *others.values()) for group in groups.values())
        levels = {study.methods[name].label: group.psnr.mean(skipna=False) for name, group in trained.items()}
        figure = conditions_figure(values, levels)
        yield "", "tested otherwise than trained", f"{over}; numbers: difference from as trained", figure


def _by_method(rows: pd.DataFrame, condition: str = AS_TRAINED) -> dict[str, pd.DataFrame]:
    """Method -> one row a subject, averaged over seeds."""
    return dict(list(average_seeds(rows[rows.condition == condition]).groupby("method")))


def _over(groups: Iterable[pd.DataFrame]) -> str:
    """What the numbers are means of; methods of an unfinished study may have different numbers of subjects."""
    return f"mean over {counted(map(len, groups), 'subject')}, seeds averaged first"
