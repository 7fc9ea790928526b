"""What the tests of a study share."""

from __future__ import annotations

import pytest


@pytest.fixture
def few_resamples(monkeypatch):
    """Intervals are tested with the statistics; elsewhere they only take time."""
    monkeypatch.setattr("bundle.evaluation.intervals.RESAMPLES", 299)
