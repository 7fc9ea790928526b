"""The configuration of a run: the bundle's files, a study's overlays on them, and the run's settings over all."""

from __future__ import annotations

from monai.bundle import ConfigParser

from ..settings.shipped import CONFIGS, RUNS
from .plan import Run, Study
from .sections import Settings
from .settings import of_training

__all__ = ["config_of", "parser_of"]


def config_of(study: Study, run: Run, run_id: str, settings: Settings) -> tuple[list[str], Settings]:
    """The config files of a run's workflow, ``training`` or ``evaluating``, and what overrides them."""
    own = [CONFIGS / name for name in RUNS[run_id]]
    overlays = study.config_files(run)
    files = [str(path) for path in [*own, *overlays]]
    return files, of_training(settings, overlays) if run_id == "training" else settings


def parser_of(study: Study, run: Run, run_id: str, settings: Settings) -> ConfigParser:
    """The same, read and merged, nothing built yet."""
    files, given = config_of(study, run, run_id, settings)
    parser = ConfigParser()
    parser.read_config(files)
    parser.update(given)
    return parser
