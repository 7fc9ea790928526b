"""A study's report: one HTML page that holds its style and its figures, so that it can be opened anywhere and mailed.

The protocol comes first, then what has to be known before a figure is believed, then tables and figures. The page's
words and style are in ``report.html.j2``, which escapes all that it is given but tables, which are HTML already.
"""

from __future__ import annotations

import base64
import html
import io
import shlex
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pandas as pd
from jinja2 import Environment, FileSystemLoader, StrictUndefined
from PIL import Image

from ..errors import BundleError
from ..evaluation import intervals
from ..evaluation.metrics import PROFILES
from ..outputs import write_text
from ..plotting import DOTS_PER_INCH
from ..table_formats import RenderedTable
from . import statistics
from .figures import Drawing
from .plan import Study
from .protocol import UNKNOWN, describe, settings_text
from .remarks import cautions, versions
from .sections import BUNDLE_ROOT

__all__ = ["check_report", "write_report"]

NAME = "report.html"
FIGURE_BYTES, ALL_FIGURES_BYTES = 1_500_000, 15_000_000  # a third more as text; most mail takes 25 MB
Runs = Sequence[Mapping[str, Any]]
CSS_PER_INCH = 96  # a page's pixels: figures get the size they were drawn for, and letters that of the page's text


def write_report(
    study: Study, results: pd.DataFrame, tables: list[RenderedTable], drawings: list[Drawing], folder: Path, runs: Runs
) -> Path:
    """Write ``report.html``, replacing an existing one in one step, and return its path.

    Args:
        study: what was asked for.
        results: one row a tested subject, with the columns of ``results.csv``; it may be empty.
        tables, drawings: in the order of the page, A file above 1.5 MB, or less where there are more than
            ten, becomes a JPEG in the page.
        folder: of the report.
        runs: what each ``run.json`` says; what is not known is None or left out.

    Raises:
        BundleError: a figure cannot be read, or the page cannot be written.
    """
    path = folder / NAME
    limit = min(FIGURE_BYTES, ALL_FIGURES_BYTES // max(1, len(drawings)))
    loader = FileSystemLoader(Path(__file__).parent)
    jinja = Environment(loader=loader, autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True)
    jinja.filters |= {"grid": _grid, "settings": settings_text}
    page = jinja.get_template("report.html.j2").render(
        study=study,
        facts=_facts(study, results, runs),
        **describe(study, results, runs),
        metric_definition=PROFILES[study.profile],
        statistics=statistics,
        intervals=intervals,
        versions=versions(runs),
        cautions=cautions(study, results, runs),
        tables=tables,
        figures=[_figure(drawing, path.parent, limit) for drawing in drawings],
        runs=runs,
        command=_command(study),
        source=study.path.read_text(encoding="utf-8") if study.path.is_file() else "",
    )
    write_text(path, page)
    return path


def check_report(study: Study, folder: Path) -> None:
    """Refuse to replace the results of another study, told by the title of its report.

    Raises:
        BundleError: there is one in the folder.
    """
    path = folder / NAME
    text = path.read_text(encoding="utf-8", errors="replace") if path.is_file() else ""
    title = html.unescape(text.partition("<title>")[2].partition("</title>")[0])
    if title and title != study.title:
        raise BundleError(
            f"{path} is of another study, {title!r}, whose results would be replaced by those of {study.title!r}; give "
            "another --output, or remove that report first."
        )


def _grid(rows: Sequence[Mapping[str, Any]], columns: Sequence[str] | None = None) -> str:
    """A table, all text in it escaped."""
    with pd.option_context("display.max_colwidth", None):
        text = pd.DataFrame(rows, columns=columns).convert_dtypes().to_html(index=False, border=0, na_rep=UNKNOWN)
    return f'<div class="scroll">{text}</div>'


def _facts(study: Study, results: pd.DataFrame, runs: Runs) -> dict[str, Any]:
    last = max((str(run["finished"]) for run in runs if run.get("finished")), default=UNKNOWN)
    counts = {"subject": len(results[["dataset", "subject"]].drop_duplicates()), "scan": len(study.scans)}
    counts |= {"method": len(study.main_methods), "seed": len(study.seeds)}
    facts: dict[str, Any] = {name + "s" * (count != 1): count for name, count in counts.items()}
    facts["runs finished"] = f"{sum(run['status'] == 'done' for run in runs)} of {len(runs)}"
    return facts | {"last run": last[:10]}


def _figure(drawing: Drawing, folder: Path, limit: int) -> dict[str, Any]:
    path, kind = drawing.path, "png"
    try:
        with Image.open(path) as image:
            size, data = image.size, path.read_bytes()
            for scale in (1, 0.8, 0.64, 0.5):  # narrower until it keeps to the limit
                if len(data) > limit:
                    kind, buffer, sides = "jpeg", io.BytesIO(), [round(scale * side) for side in size]
                    small = image.convert("RGB").resize(sides, Image.Resampling.LANCZOS)
                    small.save(buffer, "jpeg", quality=90, subsampling=0)  # small coloured text needs all its colours
                    data = buffer.getvalue()
    except OSError as error:
        raise BundleError(f"The figure {path} cannot be read ({error}); run the study again to draw it.") from error
    uri = f"data:image/{kind};base64,{base64.b64encode(data).decode()}"
    width, height = (round(side * CSS_PER_INCH / DOTS_PER_INCH) for side in size)
    file = path.relative_to(folder) if path.is_relative_to(folder) else path.name
    shown = {"kind": drawing.kind, "caption": drawing.caption, "file": file}
    return shown | {"uri": uri, "width": width, "height": height}


def _command(study: Study) -> str:
    """The command line, without the folders of the machine that the report is made on."""
    path = study.path.resolve()
    name = path.relative_to(BUNDLE_ROOT).as_posix() if path.is_relative_to(BUNDLE_ROOT) else path.name
    data = [f"--data={name}=FOLDER" for name, dataset in study.datasets.items() if dataset.dataset_dir]
    return shlex.join(["python", "-m", "bundle", "study", name, "--output", "DIR", *data])
