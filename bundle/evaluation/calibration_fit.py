"""What a calibration is fitted by: the spreads' weights that explain the errors best, and a factor by subject."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from scipy import optimize

from .calibration import COVERAGE, half_width

__all__ = ["conformal_factor", "fit_parts"]


def fit_parts(errors: Sequence[np.ndarray], squares: Sequence[np.ndarray]) -> np.ndarray:
    """The weights of squared spreads under which the errors are most likely, all groups of voxels counting alike.

    Errors are taken as drawn from Laplace's distribution, whose tails are nearer to theirs than Gauss's.

    Args:
        errors: of each group ``(n,)``, such as the head of a subject, or the structures inserted there.
        squares: of each group ``(n, k)``, smoothed squared spreads.

    Returns:
        ``(k,)``, from 0 on.
    """

    def unlikely(logs: np.ndarray) -> float:
        deviations = [np.sqrt(square @ np.exp(logs) + 1e-12) for square in squares]
        return float(np.mean([np.mean(np.abs(e) / d + np.log(d)) for e, d in zip(errors, deviations)]))

    start, limits = np.zeros(squares[0].shape[1]), (-12, 12)
    found = optimize.minimize(unlikely, start, method="L-BFGS-B", bounds=[limits] * len(start))
    return np.where(found.x > -11, np.exp(found.x), 0.0)


def conformal_factor(ratios: Sequence[Sequence[np.ndarray]], coverage: float = COVERAGE) -> float:
    """By how much an interval has to be widened, the unit being the subject.

    A subject's score is the factor at which its interval holds ``coverage`` of the errors of each of its groups of
    voxels, such as the head in one scan. Of n subjects that are exchangeable with a new one, the k-th smallest score
    suffices for that one with a chance of k / (n + 1): k is the smallest with which that is ``coverage``, or n where
    the subjects are too few for it.

    Args:
        ratios: of each subject, and of each of its groups, |error| over standard deviation ``(n,)``.
    """
    scores = np.sort([max(np.quantile(one, coverage) for one in groups) for groups in ratios]) / half_width(coverage)
    rank = min(len(scores), int(np.ceil((len(scores) + 1) * coverage)))
    return float(scores[rank - 1])
