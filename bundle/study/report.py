"""A study's report: one HTML page that holds its style and its figures, so that it can be opened anywhere and mailed.

The protocol comes first, then what has to be known before a figure is believed, then tables and figures. The page's
words and style are in ``report.html.j2``, which escapes all that it is given but tables, which are HTML already.
"""

from __future__ import annotations

import base64
import io
import shlex
from collections.abc import Iterable, Mapping, Sequence
from itertools import groupby
from pathlib import Path
from typing import Any

import pandas as pd
from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup
from PIL import Image

from ..errors import BundleError
from ..evaluation.metrics import PROFILES
from ..plotting import DOTS_PER_INCH
from . import statistics
from .figures import Drawing
from .plan import Study
from .protocol import UNKNOWN, describe, duration, settings_text
from .remarks import cautions, versions
from .results import write_text
from .sections import BUNDLE_ROOT
from .table_formats import RenderedTable

__all__ = ["write_report"]

REPORT_NAME = "report.html"
FIGURE_BYTES, ALL_FIGURES_BYTES = 1_500_000, 15_000_000  # a third more as text; most mail takes 25 MB
CSS_PER_INCH = 96  # a page's pixels: figures get the size they were drawn for, and letters that of the page's text
RUN = ["dataset", "fold", "scan", "method", "seed", "key", "status", "training", "finished", "folder"]


def write_report(
    study: Study,
    results: pd.DataFrame,
    tables: Iterable[RenderedTable],
    drawings: Sequence[Drawing],
    output_dir: str | Path,
    runs: Sequence[Mapping[str, Any]],
) -> Path:
    """Write ``report.html``; it replaces an existing one in one step.

    Args:
        study: what was asked for.
        results: one row a tested subject, with the columns of ``results.csv``; it may be empty.
        tables: in the order of the page.
        drawings: those of a kind one after another. A file above 1.5 MB, or less where there are more than ten, becomes
            a JPEG in the page.
        output_dir: folder of the report.
        runs: one mapping a run, what its ``run.json`` says; what is not known is None or left out.

    Returns:
        the page's path.

    Raises:
        BundleError: a figure cannot be read, or the page cannot be written.
    """
    path = Path(output_dir) / REPORT_NAME
    limit = min(FIGURE_BYTES, ALL_FIGURES_BYTES // max(1, len(drawings)))
    kinds = groupby(drawings, key=lambda drawing: drawing.kind)
    loader = FileSystemLoader(Path(__file__).parent)
    jinja = Environment(loader=loader, autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True)
    jinja.filters |= {"grid": _grid, "settings": settings_text}
    page = jinja.get_template("report.html.j2").render(
        study=study,
        facts=_facts(study, results, runs),
        **describe(study, results, runs),
        metric_definition=PROFILES[study.profile],
        statistics=statistics,
        devices=sorted({run["device"] for run in runs if run.get("device")}),
        versions=versions(runs),
        cautions=cautions(study, results, runs),
        unfinished=[run for run in runs if run["status"] != "done"],
        tables=list(tables),
        figures={kind: [_figure(drawing, path.parent, limit) for drawing in group] for kind, group in kinds},
        runs=[{key: run.get(key) for key in RUN} | {"training": duration(run.get("training_seconds"))} for run in runs],
        command=_command(study),
        source=study.path.read_text(encoding="utf-8") if study.path.is_file() else "",
    )
    write_text(path, page)
    return path


def _grid(rows: Sequence[Mapping[str, Any]]) -> Markup:
    with pd.option_context("display.max_colwidth", None):
        return Markup(pd.DataFrame(rows).to_html(index=False, border=0, na_rep=UNKNOWN, classes="plain"))


def _facts(study: Study, results: pd.DataFrame, runs: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    done = sum(run["status"] == "done" for run in runs)
    last = max((str(run["finished"]) for run in runs if run.get("finished")), default=UNKNOWN)
    counts = {"subject": len(results[["dataset", "subject"]].drop_duplicates()), "scan": len(study.scans)}
    counts |= {"method": len(study.main_methods), "seed": len(study.seeds)}
    facts = {name + "s" * (count != 1): count for name, count in counts.items()}
    return facts | {"runs finished": f"{done} of {len(runs)}", "last run": last[:10]}


def _figure(drawing: Drawing, folder: Path, limit: int) -> dict[str, Any]:
    path, kind = drawing.path, "png"
    try:
        with Image.open(path) as image:
            size, data = image.size, path.read_bytes()
            for scale in (1, 0.8, 0.64, 0.5):  # narrower until it keeps to the limit
                if len(data) > limit:
                    kind, buffer = "jpeg", io.BytesIO()
                    small = image.convert("RGB").resize(
                        [round(scale * side) for side in size], Image.Resampling.LANCZOS
                    )
                    # colours keep their resolution, which small coloured text needs
                    small.save(buffer, "jpeg", quality=90, subsampling=0)
                    data = buffer.getvalue()
    except OSError as error:
        raise BundleError(f"The figure {path} cannot be read ({error}); run the study again to draw it.") from error
    uri = f"data:image/{kind};base64,{base64.b64encode(data).decode()}"
    width, height = (round(side * CSS_PER_INCH / DOTS_PER_INCH) for side in size)
    file = path.relative_to(folder) if path.is_relative_to(folder) else path.name
    return {"uri": uri, "width": width, "height": height, "caption": drawing.caption, "file": file}


def _command(study: Study) -> str:
    """The command line, without the folders of the machine that the report is made on."""
    path = study.path.resolve()
    name = path.relative_to(BUNDLE_ROOT).as_posix() if path.is_relative_to(BUNDLE_ROOT) else path.name
    words = ["python", "-m", "bundle", "study", name, "--output", "DIR"]
    for key, dataset in study.datasets.items():
        words += [] if dataset.dataset_dir is None else ["--data", f"{key}=FOLDER"]
    return shlex.join(words)
