"""All figures of a study, drawn from what its runs left on disk and written to its folder ``figures``."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import nibabel
import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from nibabel.filebasedimages import ImageFileError
from nibabel.spatialimages import SpatialImage

from ..errors import BundleError
from ..plotting import save_figure
from .comparison import methods_figure
from .curves import conditions_figure, quality_figure, sweep_figure
from .detail import middle_slice
from .plan import AS_TRAINED, Study
from .statistics import per_subject

__all__ = ["draw_all", "draw_comparisons", "draw_conditions", "draw_qualities", "draw_sweeps"]

ZERO_FILLED = "zero_filled"  # the method that is the level of comparison where a study has it
RECONSTRUCTION, REFERENCE, T1 = "_recon.nii.gz", "_reference.nii.gz", "_t1.nii.gz"


def draw_all(study: Study, results: pd.DataFrame, output_dir: str | Path) -> dict[str, list[Path]]:
    """Draw all figures of a study; what has no results yet is left out.

    Args:
        study: what was compared.
        results: the study's ``results.csv``.
        output_dir: the study's folder; figures go to ``figures/`` in it.

    Returns:
        files by kind: ``comparison``, ``sweep``, ``quality``, ``conditions``.

    Raises:
        BundleError: a file cannot be read or written.
    """
    kinds = {
        "comparison": draw_comparisons,
        "sweep": draw_sweeps,
        "quality": draw_qualities,
        "conditions": draw_conditions,
    }
    return {kind: draw(study, results, output_dir) for kind, draw in kinds.items()}


def draw_comparisons(study: Study, results: pd.DataFrame, output_dir: str | Path) -> list[Path]:
    """One figure for each dataset, scan and table: a slice by all methods of the table that have results there.

    It shows the first volume, by name, that all of them reconstructed as trained, each with its first seed; where there
    is none, there is no figure.
    """
    paths = []
    for dataset, scan, rows in _scans(study, results[results.condition == AS_TRAINED]):
        for table in study.tables.values():
            methods = {name: _first_seed(study, rows[rows.method == name]) for name in table.methods}
            methods = {name: runs for name, runs in methods.items() if len(runs)}
            if len(methods) < min(2, len(table.methods)):
                continue
            figure = _comparison(study, methods, Path(output_dir), _title(study, dataset, scan, table.title))
            paths += _save(figure, output_dir, "comparison", dataset, scan, table.name)
    return paths


def draw_sweeps(study: Study, results: pd.DataFrame, output_dir: str | Path) -> list[Path]:
    """One figure for each dataset, scan and sweep of which two values or more have results."""
    paths = []
    for dataset, scan, rows in _scans(study, _subjects(results, AS_TRAINED)):
        for sweep in study.sweeps.values():
            groups = {value: rows[rows.method == name] for value, name in sweep.points.items()}
            groups = {value: group for value, group in groups.items() if len(group)}
            if len(groups) < 2:
                continue
            values = {
                value: {name: group[name].to_numpy(float) for name in ("psnr", "ssim")}
                for value, group in groups.items()
            }
            default = next((value for value, name in sweep.points.items() if name == sweep.method), None)
            figure = sweep_figure(
                values,
                sweep.label,
                default=default,
                title=_title(study, dataset, scan, sweep.label),
                subtitle=f"{study.methods[sweep.method].label}, {_over(groups.values())}",
            )
            paths += _save(figure, output_dir, "sweep", dataset, scan, sweep.name)
    return paths


def draw_qualities(study: Study, results: pd.DataFrame, output_dir: str | Path) -> list[Path]:
    """One figure for each dataset and scan: quality and cost of all methods but those that only a sweep asks for."""
    swept = {name for sweep in study.sweeps.values() for name in sweep.points.values() if name != sweep.method}
    swept -= {name for table in study.tables.values() for name in table.methods}
    paths = []
    for dataset, scan, rows in _scans(study, _subjects(results, AS_TRAINED)):
        groups = {name: rows[rows.method == name] for name in study.methods if name not in swept}
        groups = {name: group for name, group in groups.items() if len(group)}
        columns = ["psnr", "ssim", "parameters", "seconds_per_slice"]
        means = {name: group[columns].mean(skipna=False).to_dict() for name, group in groups.items()}
        zero_filled = means.pop(ZERO_FILLED, None)
        if not means:
            continue
        figure = quality_figure(
            {study.methods[name].label: row for name, row in means.items()},
            zero_filled,
            title=_title(study, dataset, scan, "quality and cost"),
            subtitle=_over(groups.values()),
        )
        paths += _save(figure, output_dir, "quality", dataset, scan)
    return paths


def draw_conditions(study: Study, results: pd.DataFrame, output_dir: str | Path) -> list[Path]:
    """One figure for each dataset and scan whose networks were tested otherwise than trained."""
    paths = []
    for dataset, scan, rows in _scans(study, _subjects(results)):
        groups = {
            (method, condition): group["psnr"] for (method, condition), group in rows.groupby(["method", "condition"])
        }
        means = {key: float(group.mean(skipna=False)) for key, group in groups.items()}
        values = {
            method.label: {
                condition.label: means[name, condition.name]
                for condition in study.conditions.values()
                if (name, condition.name) in means
            }
            for name, method in study.methods.items()
        }
        values = {label: row for label, row in values.items() if row}
        if not values:
            continue
        figure = conditions_figure(
            values,
            {study.methods[name].label: mean for (name, condition), mean in means.items() if condition == AS_TRAINED},
            title=_title(study, dataset, scan, "tested otherwise than trained"),
            subtitle=f"{_over(groups.values())}; numbers: difference from as trained",
        )
        paths += _save(figure, output_dir, "conditions", dataset, scan)
    return paths


def _scans(study: Study, rows: pd.DataFrame) -> Iterator[tuple[str, str, pd.DataFrame]]:
    """Dataset, scan, and the rows of the study's methods there."""
    rows = rows[rows.method.isin(list(study.methods))]
    for dataset in study.datasets:
        for scan in study.scans:
            chosen = rows[(rows.dataset == dataset) & (rows.scan == scan)]
            if len(chosen):
                yield dataset, scan, chosen


def _subjects(results: pd.DataFrame, condition: str | None = None) -> pd.DataFrame:
    """One row a subject, averaged over seeds."""
    return per_subject(results if condition is None else results[results.condition == condition])


def _title(study: Study, dataset: str, scan: str, what: str) -> str:
    return f"{study.datasets[dataset].label}, {study.scans[scan].label}: {what}"


def _over(groups: Sequence) -> str:
    """What the numbers are means of; methods of an unfinished study may have different numbers of subjects."""
    counts = sorted({len(group) for group in groups})
    numbers = f"{counts[0]} to {counts[-1]} subjects" if len(counts) > 1 else f"{counts[0]} subjects"
    return f"mean over {numbers}, seeds averaged first" if counts != [1] else "one subject, seeds averaged"


def _save(figure: Figure | None, output_dir: str | Path, *names: str) -> list[Path]:
    if figure is None:
        return []
    path = Path(output_dir) / "figures" / f"{'-'.join(names)}.png"
    save_figure(figure, path)
    return [path]


def _first_seed(study: Study, rows: pd.DataFrame) -> pd.DataFrame:
    seed = next((seed for seed in study.seeds if (rows.seed == seed).any()), None)
    return rows[rows.seed == seed]


def _comparison(study: Study, methods: Mapping[str, pd.DataFrame], folder: Path, title: str) -> Figure | None:
    """``methods``: name -> rows of one seed, all its folds."""
    files = {name: _volumes(folder, rows) for name, rows in methods.items()}
    common = sorted(set.intersection(*map(set, files.values()))) if files else []
    if not common:
        return None
    volume = common[0]
    first = next(iter(files.values()))[volume]
    reference = _read(first.with_name(volume + REFERENCE))
    images = {name: _read(found[volume]) for name, found in files.items()}
    if any(image.shape != reference.shape for image in images.values()):
        return None  # methods on different matrices cannot be laid side by side
    index = middle_slice(np.asanyarray(reference.dataobj))
    t1 = first.with_name(volume + T1)
    rows = {study.methods[name].label: _row(rows, volume) for name, rows in methods.items()}
    metrics = {
        label: {name: float(row[name]) for name in ("psnr", "ssim")} for label, row in rows.items() if row is not None
    }
    whole = (
        "the whole volume"
        if all(str(row.subject) == volume for row in rows.values() if row is not None)
        else "all volumes of the subject"
    )
    seeds = sorted({int(rows.seed.iloc[0]) for rows in methods.values()})
    return methods_figure(
        {study.methods[name].label: _slice(image, index) for name, image in images.items()},
        _slice(reference, index),
        t1=_slice(_read(t1), index) if t1.is_file() else None,
        metrics=metrics,
        title=title,
        subtitle=f"{volume}, slice {index + 1} of {reference.shape[2]}; PSNR and SSIM of {whole}, seed "
        + ", ".join(map(str, seeds)),
        spacing=tuple(np.linalg.norm(reference.affine[:3, :2], axis=0)),
        rot90=1 if reference.affine[1, 1] >= 0 else -1,
    )


def _volumes(folder: Path, rows: pd.DataFrame) -> dict[str, Path]:
    """Volume -> reconstruction, of those that have a reference beside them."""
    found = {}
    for run in dict.fromkeys(rows.folder):
        place = folder / str(run) / "conditions" / AS_TRAINED / "reconstructions"
        for path in sorted(place.glob(f"*{RECONSTRUCTION}")):
            volume = path.name.removesuffix(RECONSTRUCTION)
            if path.with_name(volume + REFERENCE).is_file():
                found[volume] = path
    return found


def _row(rows: pd.DataFrame, volume: str) -> pd.Series | None:
    """The row of a volume's subject: a volume is named ``subject`` or ``subject_session``."""
    names = rows.subject.astype(str)
    owners = [name for name in names if volume == name or volume.startswith(f"{name}_")]
    return rows[names == max(owners, key=len)].iloc[0] if owners else None


def _read(path: Path) -> SpatialImage:
    try:
        return nibabel.load(path)
    except (OSError, ImageFileError) as error:
        raise BundleError(f"The volume {path} cannot be read ({error}); run the study again to make it.") from error


def _slice(image: SpatialImage, index: int) -> np.ndarray:
    return np.asarray(image.dataobj[..., index], dtype=np.float64)
