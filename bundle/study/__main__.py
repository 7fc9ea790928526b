"""Run a study: train and test every method under one protocol, then write tables, figures and a report.

    python -m bundle study configs/studies/smoke.yaml --output DIR

Run again, it goes on where it stopped, and does nothing twice. What it writes to DIR:

    results.csv    every tested subject: method, scan, seed, NMSE, PSNR, SSIM
    tables/        Markdown, LaTeX, CSV
    figures/       reconstructions side by side, curves
    report.html    all of it on one page, with the protocol
    runs/          weights, logs, metrics and reconstructions of each run
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

import torch

from ..errors import BundleError
from ..outputs import claim_outputs
from .figures import draw_all
from .plan import Run, Study
from .report import write_report
from .results import collect, records, write_results
from .runner import Runner
from .study_file import read_study
from .tables import study_tables, write_tables


def main(arguments: Sequence[str] | None = None) -> int:
    """The command line; returns the exit status, 1 after a mistake or where a run failed."""
    options = _parser().parse_args(arguments)
    try:
        study = read_study(options.study, dict(options.data))
        claim_outputs(options.output, [])
        runs = _chosen(study, options.methods)
        failed = 0 if options.report_only else Runner(study, options.output, options.devices, options.threads)(runs)
        publish(study, options.output)
    except BundleError as error:
        print(f"Error: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("Interrupted; the same command goes on from here.", file=sys.stderr)
        return 130
    if failed:
        print(f"{failed} of the runs failed; see above, and their log.txt.", file=sys.stderr)
    return int(failed > 0)


def publish(study: Study, output_dir: Path) -> None:
    """Write results, tables, figures and report of the runs that are done.

    Raises:
        BundleError: none is.
    """
    results = collect(study, output_dir)
    if results.empty:
        raise BundleError(f"No run of the study has ended well, so there is nothing to report; see {output_dir}/runs.")
    write_results(results, output_dir / "results.csv")
    tables = study_tables(study, results)
    write_tables(tables, output_dir / "tables")
    figures = draw_all(study, results, output_dir)
    report = write_report(study, results, tables, figures, output_dir, records(study, output_dir))
    for table in tables:
        print(f"\n{table.markdown()}")
    print(f"\nReport: {report}, tables: {output_dir / 'tables'}, figures: {output_dir / 'figures'}")


def _chosen(study: Study, methods: Sequence[str] | None) -> list[Run]:
    if unknown := set(methods or ()) - set(study.methods):
        raise BundleError(f"The study has no method {sorted(unknown)[0]!r}; it has {', '.join(study.methods)}.")
    return [run for run in study.runs() if methods is None or run.method in methods]


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m bundle study", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("study", type=Path, metavar="STUDY.yaml", help="such as configs/studies/smoke.yaml")
    parser.add_argument("--output", type=Path, required=True, metavar="DIR", help="made if need be; runs are resumed")
    parser.add_argument(
        "--data",
        type=_pair,
        action="append",
        default=[],
        metavar="NAME=DIR",
        help="folder with datalist.json of a dataset of the study; may be repeated",
    )
    parser.add_argument(
        "--devices",
        type=_names,
        default=_devices(),
        metavar="A,B,...",
        help="one worker process each, such as cuda:0,cuda:1 or cpu,cpu (default: every GPU, else cpu)",
    )
    parser.add_argument("--threads", type=int, metavar="N", help="of each worker (default: the cores, shared)")
    parser.add_argument("--methods", type=_names, metavar="A,B,...", help="run only these now (default: all)")
    parser.add_argument("--report-only", action="store_true", help="run nothing, write tables, figures and report")
    return parser


def _devices() -> list[str]:
    return [f"cuda:{number}" for number in range(torch.cuda.device_count())] or ["cpu"]


def _names(text: str) -> list[str]:
    return [name.strip() for name in text.split(",") if name.strip()]


def _pair(text: str) -> tuple[str, str]:
    name, separator, folder = text.partition("=")
    if not separator or not name or not folder:
        raise argparse.ArgumentTypeError(f"{text} is not NAME=DIR, such as whole_head=data/whole_head")
    return name, folder
