"""A study's report: one HTML page that holds its style and its figures, so that it can be opened anywhere and mailed.

The protocol comes first, then what has to be known before a figure is believed, then tables and figures. The page's
words and style are in ``report.html.j2``, which escapes all that it is given but the tables, which are HTML already.
"""

from __future__ import annotations

import base64
import io
import re
import shlex
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol

import pandas as pd
from jinja2 import Environment, FileSystemLoader, StrictUndefined, Template
from PIL import Image

from ..errors import BundleError
from ..outputs import atomic_path
from ..plotting import DOTS_PER_INCH
from .cautions import cautions, unfinished
from .plan import BUNDLE_ROOT, Study
from .protocol import UNKNOWN, describe, duration, fold_of, main_methods
from .statistics import ALPHA, CONFIDENCE, RESAMPLES

__all__ = ["ReportTable", "write_report"]

REPORT_NAME = "report.html"
FIGURE_BYTES, ALL_FIGURES_BYTES = 1_500_000, 15_000_000  # a third more as text; most mail takes 25 MB
CSS_PER_INCH = 96  # a page's pixels: figures get the size they were drawn for, and letters that of the page's text
JPEG_QUALITY, SHRINK, SMALLEST_WIDTH = 90, 0.8, 900
KINDS = {
    "comparison": (
        "Reconstructions",
        "One slice of a test subject by all methods. Reconstructions and reference share one grey window, all errors"
        " one colour scale. The magnified detail is chosen from the reference alone.",
    ),
    "sweep": ("Sweeps", "One method, trained again for each value of one setting."),
    "quality": ("Quality and cost", "What the methods reach on the test subjects, and what they take for it."),
    "conditions": ("Other conditions", "Trained networks, tested otherwise than they were trained."),
}


class ReportTable(Protocol):
    """What a table has to offer; :mod:`bundle.study.tables` makes them."""

    name: str
    title: str
    notes: Sequence[str]

    def html(self) -> str:
        """A ``<table>``, all text in it escaped; cells of class ``best`` and ``second``."""


def write_report(
    study: Study,
    results: pd.DataFrame,
    tables: Iterable[ReportTable],
    figures: Mapping[str, Sequence[Path]],
    output_dir: str | Path,
    runs: Sequence[Mapping[str, Any]],
) -> Path:
    """Write ``report.html``; it replaces an existing one in one step.

    Args:
        study: what was asked for.
        results: one row a tested subject, with the columns of ``results.csv``; it may be empty.
        tables: in the order of the page.
        figures: kind (``comparison``, ``sweep``, ``quality``, ``conditions``) -> PNG files, in the order of the page. A
            file above 1.5 MB, or less where there are more than ten, becomes a JPEG in the page.
        output_dir: folder of the report.
        runs: one mapping a run, what its ``run.json`` says: ``dataset``, ``fold``, ``scan``, ``method``, ``seed``,
            ``key``, ``folder``, ``status`` (``done``, ``failed``, ``missing``), ``training_seconds``, ``parameters``,
            ``epochs``, ``steps``, ``device``, ``started``, ``finished``, ``versions``, ``error``; what is not known is
            None or left out.

    Returns:
        the page's path.

    Raises:
        BundleError: a figure cannot be read, or the page cannot be written.
    """
    path = Path(output_dir) / REPORT_NAME
    page = _template().render(
        study=study,
        facts=_facts(study, results, runs),
        **describe(study, results, runs),
        statistics={"alpha": ALPHA, "confidence": f"{100 * CONFIDENCE:g} %", "resamples": RESAMPLES},
        cautions=cautions(study, results, runs),
        unfinished=unfinished(study, runs),
        tables=list(tables),
        figures=_figures(study, figures, Path(output_dir)),
        runs=[_run_row(run) for run in runs],
        command=_command(study),
        source=study.path.read_text(encoding="utf-8") if study.path.is_file() else "",
    )
    with atomic_path(path) as temporary:
        temporary.write_text(page, encoding="utf-8")
    return path


def _template() -> Template:
    loader = FileSystemLoader(Path(__file__).parent)
    environment = Environment(
        loader=loader, autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    environment.tests["numeric"] = lambda text: text == UNKNOWN or re.match(r"[-+]?\d", text) is not None
    return environment.get_template("report.html.j2")


def _facts(study: Study, results: pd.DataFrame, runs: Sequence[Mapping[str, Any]]) -> dict[str, str]:
    done = sum(run["status"] == "done" for run in runs)
    last = max((str(run["finished"]) for run in runs if run.get("finished")), default="")
    counts = {
        "subject": len(results[["dataset", "subject"]].drop_duplicates()),
        "scan": len(study.scans),
        "method": len(main_methods(study)),
        "seed": len(study.seeds),
    }
    facts = {name + ("" if count == 1 else "s"): str(count) for name, count in counts.items()}
    return facts | {"runs finished": f"{done} of {len(runs)}", "last run": last[:10] or UNKNOWN}


def _run_row(run: Mapping[str, Any]) -> dict[str, str]:
    fold = fold_of(run)
    return {
        "dataset": run["dataset"],
        "fold": UNKNOWN if fold is None else str(fold),
        "scan": run["scan"],
        "method": run["method"],
        "seed": str(run["seed"]),
        "config hash": run["key"],
        "status": run["status"],
        "training": duration(run.get("training_seconds")),
        "finished": str(run.get("finished") or UNKNOWN)[:16].replace("T", " "),
        "folder": str(run["folder"]),
    }


def _figures(study: Study, figures: Mapping[str, Sequence[Path]], output_dir: Path) -> list[dict[str, Any]]:
    """Kinds that have any figure: name, title, text, and the figures."""
    limit = min(FIGURE_BYTES, ALL_FIGURES_BYTES // max(1, sum(map(len, figures.values()))))
    groups = []
    for kind, paths in figures.items():
        title, text = KINDS.get(kind, (kind.capitalize(), ""))
        shown = [_figure(study, Path(path), output_dir, limit) for path in paths]
        if shown:
            groups.append({"name": re.sub(r"\W+", "-", kind), "title": title, "text": text, "figures": shown})
    return groups


def _figure(study: Study, path: Path, output_dir: Path, limit: int) -> dict[str, Any]:
    try:
        with Image.open(path) as image:
            kind, data = "png", path.read_bytes()
            if len(data) > limit:
                kind, data = "jpeg", _jpeg(image, limit)
            width, height = (round(length * CSS_PER_INCH / DOTS_PER_INCH) for length in image.size)
    except OSError as error:
        raise BundleError(f"The figure {path} cannot be read ({error}); run the study again to draw it.") from error
    uri = f"data:image/{kind};base64,{base64.b64encode(data).decode()}"
    file = path.relative_to(output_dir) if path.is_relative_to(output_dir) else path.name
    return {"uri": uri, "width": width, "height": height, "caption": _caption(study, path.stem), "file": file}


def _jpeg(image: Image.Image, limit: int) -> bytes:
    """Narrower until it keeps to the limit; colours keep their resolution, which small coloured text needs."""
    image = image.convert("RGB")
    while True:
        buffer = io.BytesIO()
        image.save(buffer, "jpeg", quality=JPEG_QUALITY, subsampling=0)
        if buffer.tell() <= limit or image.width * SHRINK < SMALLEST_WIDTH:
            return buffer.getvalue()
        size = (round(image.width * SHRINK), round(image.height * SHRINK))
        image = image.resize(size, Image.Resampling.LANCZOS)


def _caption(study: Study, stem: str) -> str:
    """A file's name, the study's names replaced by labels: ``ixi-random6-table1``, *IXI · 1D random 6× · Table I*."""
    sections = (study.methods, study.conditions, study.sweeps, study.scans, study.datasets)
    labels = {name: table.title for name, table in study.tables.items()}
    labels |= {name: entry.label for section in sections for name, entry in section.items()}
    names = "|".join(re.escape(name) for name in sorted(labels, key=len, reverse=True))
    pieces = re.split(rf"(?<![^\W_])({names})(?![^\W_])", stem)
    parts = [labels.get(piece, piece.strip("-_. ")) for piece in pieces]
    return " · ".join(part for part in parts if part and part not in KINDS)


def _command(study: Study) -> str:
    words = ["python", "-m", "bundle", "study", _public(study.path), "--output", "DIR"]
    for dataset in study.datasets.values():
        words += [] if dataset.dataset_dir is None else ["--data", f"{dataset.name}=FOLDER"]
    return shlex.join(words)


def _public(path: Path) -> str:
    """A study's path without the folders of the machine that the report is made on."""
    path = path.resolve()
    return path.relative_to(BUNDLE_ROOT).as_posix() if path.is_relative_to(BUNDLE_ROOT) else path.name
