"""The 95 % interval that stands beside a mean: of subjects in a study, of places in an evaluation."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from scipy import stats

__all__ = ["interval"]

CONFIDENCE = 0.95
RESAMPLES = 9999


def interval(values: Sequence[float] | np.ndarray) -> tuple[float, float]:
    """The 95 % percentile bootstrap interval of the mean of ``(n,)`` values; NaN for one value or one not finite."""
    values = np.asarray(values, dtype=float)
    if len(values) < 2 or not np.isfinite(values).all():
        return np.nan, np.nan
    draw = {"n_resamples": RESAMPLES, "confidence_level": CONFIDENCE, "rng": np.random.default_rng(0)}
    result = stats.bootstrap((values,), np.mean, method="percentile", **draw)
    return float(result.confidence_interval.low), float(result.confidence_interval.high)
