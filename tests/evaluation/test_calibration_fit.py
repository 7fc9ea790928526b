"""The interval holds what was promised, of subjects like those that it was calibrated on."""

from __future__ import annotations

import numpy as np
import pytest

from bundle.evaluation.calibration import half_width
from bundle.evaluation.calibration_fit import conformal_factor, fit_parts


def subject(rng: np.random.Generator, voxels: int = 200) -> np.ndarray:
    """|error| over standard deviation; subjects differ in how much too small the latter is."""
    return np.abs(rng.laplace(0, rng.uniform(0.5, 2), voxels))


def test_nine_new_subjects_of_ten_have_nine_errors_of_ten_in_the_interval():
    rng, enough = np.random.default_rng(0), []
    for _ in range(300):
        factor = conformal_factor([[subject(rng)] for _ in range(19)])
        enough.append(np.mean(subject(rng) <= factor * half_width()) >= 0.9)
    assert 0.87 < np.mean(enough) < 0.95  # by the theorem 0.9 to 0.95


def test_the_worst_scan_of_a_subject_decides_and_of_too_few_subjects_the_worst():
    ratios = [[scale * np.linspace(0, 1, 1001) for scale in scales] for scales in ((1.0, 3.0), (1.0,), (2.0, 0.5))]
    assert conformal_factor(ratios) * half_width() == pytest.approx(3 * 0.9)
    assert half_width() == pytest.approx(1.6449, abs=1e-4)


def test_parts_are_found_again_and_what_tells_nothing_gets_little():
    rng = np.random.default_rng(1)
    squares = [rng.uniform(0, 1, (4000, 3)) for _ in range(3)]
    parts = np.array([2.0, 0.5, 0.0])
    errors = [np.abs(rng.laplace(0, np.sqrt(square @ parts))) for square in squares]
    assert fit_parts(errors, squares) == pytest.approx(parts, abs=0.15)
