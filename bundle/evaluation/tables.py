"""The tables of an evaluation: ``metrics.csv``, one row a subject, and ``metrics_summary.json``, over subjects.

A *record* describes one evaluated volume::

    {"subject": "IXI002", "slices": 100, "sampled_acceleration": 5.98, "effective_acceleration": 3.61,
     "nmse": 0.01, "psnr": 33.1, "ssim": 0.94, "zf_nmse": 0.05, "zf_psnr": 25.9, "zf_ssim": 0.69,
     "t1_registered": 1, "t1_rotation_degrees": 2.1, "t1_shift_mm": 3.4, ...}

The accelerations are those of :mod:`bundle.acquisition.masks`, ``zf_`` marks the zero-filled image, the ``t1_`` columns
say how T1 was aligned (:mod:`bundle.evaluation.alignment_columns`), and ``guide_error``, with ``check_guide`` alone,
whether it helps (:class:`~bundle.evaluation.GuideCheckd`). Statistics are over *subjects*: several sessions of
a subject are averaged first. A value that is not finite is written as it is to the CSV and as ``null`` to the JSON, and
it makes the mean over subjects ``null`` too, rather than dropping out of it.
"""

from __future__ import annotations

import csv
import hashlib
import json
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from ..errors import BundleError
from ..outputs import atomic_path, write_text
from .alignment_columns import ALIGNMENT_COLUMNS
from .metrics import METRICS, PROFILES, ZERO_FILLED

__all__ = [
    "COLUMNS",
    "config_hash",
    "format_summary",
    "mean_std",
    "per_subject",
    "summarise",
    "write_metrics_csv",
    "write_summary",
]

VALUES = (*METRICS, *(ZERO_FILLED + metric for metric in METRICS))
ACCELERATIONS = ("sampled_acceleration", "effective_acceleration")
COLUMNS = ("subject", "slices", *ACCELERATIONS, *VALUES, *ALIGNMENT_COLUMNS)
GUIDE_ERROR = "guide_error"  # a column where T1 was checked alone
FORMATS = dict.fromkeys(ACCELERATIONS, ".3f") | {"nmse": ".6f", "psnr": ".4f", "ssim": ".5f"}
FORMATS |= dict.fromkeys((*ALIGNMENT_COLUMNS, GUIDE_ERROR), ".4g")
HASH_LENGTH = 12


def per_subject(records: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """One row a subject, sorted by subject; of several sessions the slices are added and the rest is averaged.

    Args:
        records: one a volume, as the module describes them.

    Returns:
        rows with the keys :data:`COLUMNS`, and ``guide_error`` where any record has it.

    Raises:
        BundleError: no record.
    """
    if not records:
        raise BundleError("There is nothing to tabulate: no volume was evaluated; check that the chosen split has any.")
    sessions: dict[str, list[Mapping[str, Any]]] = {}
    for record in records:  # NaN where T1 could not be checked
        sessions.setdefault(str(record["subject"]), []).append({GUIDE_ERROR: np.nan} | dict(record))
    rows, columns = [], _columns(records)
    for subject, group in sorted(sessions.items()):
        row = {"subject": subject, "slices": sum(int(record["slices"]) for record in group)}
        row |= {name: _mean(group, name) for name in columns if name not in row}
        rows.append(row)
    return rows


def write_metrics_csv(records: Sequence[Mapping[str, Any]], path: str | Path) -> None:
    """Write ``metrics.csv``: a header, then :func:`per_subject`'s rows; it replaces an existing file in one step."""
    with atomic_path(path) as temporary, temporary.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        columns = _columns(records)
        writer.writerow(columns)
        writer.writerows([_cell(row[column], column) for column in columns] for row in per_subject(records))


def _columns(records: Sequence[Mapping[str, Any]]) -> tuple[str, ...]:
    return (*COLUMNS, GUIDE_ERROR) if any(GUIDE_ERROR in record for record in records) else COLUMNS


def summarise(records: Sequence[Mapping[str, Any]], profile: str, config_hash: str) -> dict[str, Any]:
    """Mean and standard deviation over subjects, and the gain over zero filling.

    Args:
        records: one a volume, as the module describes them.
        profile: the metric profile they were computed with, a key of :data:`bundle.evaluation.metrics.PROFILES`.
        config_hash: what :func:`config_hash` returned for this run.

    Returns:
        ``n`` (subjects), ``slices``, ``sampled_acceleration``, ``effective_acceleration`` (means), ``metric_profile``,
        ``metric_definition``, ``config_hash``, ``metrics``: for each of nmse, psnr, ssim and their ``zf_`` twins
        ``{"mean", "std", "n"}``, and ``gain``: the same for the paired difference network - zero filling (negative is
        better for NMSE). ``std`` is the sample standard deviation (n - 1), ``null`` for a single subject.

    Raises:
        BundleError: no record, or an unknown profile.
    """
    if profile not in PROFILES:
        raise BundleError(f"Unknown metric profile {profile!r}: choose one of {', '.join(PROFILES)}.")
    rows = per_subject(records)
    values = {name: np.array([row[name] for row in rows]) for name in VALUES}
    return {
        "n": len(rows),
        "slices": sum(row["slices"] for row in rows),
        **{name: _plain(np.mean([row[name] for row in rows])) for name in ACCELERATIONS},
        "metric_profile": profile,
        "metric_definition": PROFILES[profile],
        "config_hash": config_hash,
        "metrics": {name: _statistics(values[name]) for name in VALUES},
        "gain": {name: _statistics(values[name] - values[ZERO_FILLED + name]) for name in METRICS},
    }


def write_summary(summary: Mapping[str, Any], path: str | Path) -> None:
    """Write :func:`summarise`'s result as ``metrics_summary.json``; it replaces an existing file in one step."""
    write_text(path, json.dumps(summary, indent=2, ensure_ascii=False, allow_nan=False) + "\n")


def format_summary(summary: Mapping[str, Any], network_name: str = "MANet") -> str:
    """A summary as a small table for the console, network against zero filling, mean ± standard deviation."""
    names = {"psnr": ("PSNR [dB]", 2), "ssim": ("SSIM", 4), "nmse": ("NMSE", 4)}
    subjects = f"{summary['n']} subject{'s' if summary['n'] > 1 else ''}, {summary['slices']} slices"
    sampled, effective = (summary[name] for name in ACCELERATIONS)
    scan = "" if sampled is None else f", sampled {sampled:.2f}x"
    lines = [
        f"{subjects}{scan}; mean ± standard deviation over subjects, metric profile {summary['metric_profile']}",
        f"{'':12}{network_name:>20}{'zero-filled':>20}{'gain':>20}",
    ]
    if sampled is not None and sampled != effective:
        lines.insert(
            1, f"effectively {effective:.2f}x: a point of Hermitian k-space tells the one opposite (docs/data.md)"
        )
    for name, (label, digits) in names.items():
        columns = (summary["metrics"][name], summary["metrics"][ZERO_FILLED + name], summary["gain"][name])
        signs = ("", "", "+")
        cells = (mean_std(value, digits, sign) for value, sign in zip(columns, signs, strict=True))
        lines.append(f"{label:12}" + "".join(f"{cell:>20}" for cell in cells))
    return "\n".join(lines)


def mean_std(value: Mapping[str, Any], digits: int, sign: str = "") -> str:
    """``{"mean", "std"}`` as text, *33.10 ± 1.12*; no standard deviation where ``std`` is None.

    Args:
        value: as in :func:`summarise`; a ``mean`` of None is *not finite*.
        digits: after the decimal point.
        sign: ``+`` to show it always.
    """
    if value["mean"] is None:
        return "not finite"
    mean = f"{value['mean']:{sign}.{digits}f}"
    return mean if value["std"] is None else f"{mean} ± {value['std']:.{digits}f}"


def config_hash(config: Mapping[str, Any]) -> str:
    """A short name for a configuration: the first 12 hexadecimal digits of the SHA-256 of its canonical JSON.

    Args:
        config: plain values: numbers, strings, booleans, None, paths, and lists, tuples and dictionaries of them. The
            order of keys does not matter.

    Raises:
        BundleError: a value that is not plain, whose text could change from run to run.
    """
    try:
        text = json.dumps(config, sort_keys=True, separators=(",", ":"), default=_json_value)
    except TypeError as error:
        raise BundleError(f"A configuration's hash needs plain values only, but {error}.") from error
    return hashlib.sha256(text.encode()).hexdigest()[:HASH_LENGTH]


def _mean(group: Sequence[Mapping[str, Any]], name: str) -> float:
    return float(np.mean([float(record[name]) for record in group]))


def _statistics(values: np.ndarray) -> dict[str, Any]:
    with np.errstate(invalid="ignore"):  # infinite PSNRs have a standard deviation of NaN
        std = np.std(values, ddof=1) if len(values) > 1 else np.nan
    return {"mean": _plain(np.mean(values)), "std": _plain(std), "n": len(values)}


def _plain(value: float) -> float | None:
    """JSON knows neither NaN nor infinity; six significant digits are more than a metric is good for."""
    return float(f"{value:.6g}") if np.isfinite(value) else None


def _cell(value: Any, column: str) -> str:
    return format(value, FORMATS.get(column.removeprefix(ZERO_FILLED), ""))


def _json_value(value: Any) -> Any:
    if isinstance(value, os.PathLike):
        return os.fspath(value)
    if isinstance(value, np.generic):
        return value.item()
    raise TypeError(f"got {value!r} of type {type(value).__name__}")
