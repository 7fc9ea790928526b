"""What of a k-space was acquired, found in the data: undersampling, zero padding, partial Fourier, the centre.

A point was acquired where any coil of any slice is not zero. Zero padding is what lies beyond the outermost lines on
both sides of the zero frequency: nobody meant to acquire it, so it counts in no acceleration. Where one side reaches
less far than the other, the scan is partial Fourier (along the readout: an asymmetric echo), no undersampling either.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

__all__ = ["Axis", "Sampling", "find_sampling"]

_UNEQUAL = 0.04  # of the axis: what both sides may differ by and still count as whole
_SAME_STEP = 0.8  # of the distances between lines outside the centre, in an equispaced pattern


@dataclass(frozen=True)
class Axis:
    """One axis of k-space; indices count from 0.

    Attributes:
        size: number of lines of the matrix.
        first: the outermost acquired line on one side; where undersampling left it out, the outermost meant.
        last: the same on the other side.
        acquired: number of acquired lines.
        centre: the run of acquired lines around the zero frequency, first and one after the last.
        step: most frequent distance of neighbouring lines outside that run; 1 where all are there, None where they are
            not equally spaced.
    """

    size: int
    first: int
    last: int
    acquired: int
    centre: tuple[int, int]
    step: int | None

    @property
    def encoded(self) -> int:
        """Lines from the first to the last."""
        return self.last - self.first + 1

    @property
    def padded(self) -> int:
        """Zero-padded lines, which lie beyond the longer side on both sides."""
        return self.size - self.whole

    @property
    def whole(self) -> int:
        """Lines that a scan with two sides as long as the longer one would have."""
        middle = self.size // 2
        return min(self.size, 2 * max(middle - self.first, self.last + 1 - middle)) if self.is_partial else self.encoded

    @property
    def is_partial(self) -> bool:
        """Whether one side reaches less far than the other."""
        middle = self.size // 2
        return abs((middle - self.first) - (self.last + 1 - middle)) > max(2.0, _UNEQUAL * self.size)


@dataclass(frozen=True)
class Sampling:
    """How a k-space was sampled.

    Attributes:
        acquired: bool, ``(h, w)``.
        rows: along the readout of fastMRI and ISMRMRD files, where the pattern is one of lines; None for 2D points.
        columns: along the phase encoding, likewise.
        peak: row and column of the largest magnitude.
        block: rows and columns of the fully sampled block around the zero frequency.
        nominal: acceleration that the file names, or the step of equispaced lines; None where neither is there.
    """

    acquired: np.ndarray
    rows: Axis | None
    columns: Axis | None
    peak: tuple[int, int]
    block: tuple[slice, slice]
    nominal: float | None

    @property
    def effective(self) -> float:
        """Points from the first to the last line of both axes, one for each that was acquired, the centre included."""
        return self.encoded.size / int(self.encoded.sum())

    @property
    def encoded(self) -> np.ndarray:
        """Of ``acquired`` what lies from the first to the last line of both axes; of 2D points all."""
        if self.rows is None or self.columns is None:
            return self.acquired
        return self.acquired[self.rows.first : self.rows.last + 1, self.columns.first : self.columns.last + 1]

    @property
    def is_full(self) -> bool:
        """Whether no line between the first and the last is missing."""
        return self.rows is not None and self.effective == 1


def find_sampling(
    magnitude: np.ndarray, limits: tuple[int, int] | None = None, nominal: float | None = None
) -> tuple[Sampling, list[str]]:
    """What was acquired.

    Args:
        magnitude: of all coils and slices together, ``(h, w)``, 0 where nothing was acquired.
        limits: first column that a header calls acquired, and the one after the last; taken where the data agree.
        nominal: acceleration that the file names; below 1 it is none.

    Returns:
        the sampling, and sentences on where file and data disagree.
    """
    nominal = nominal if nominal is not None and nominal >= 1 else None
    acquired = np.asarray(magnitude > 0)
    peak = divmod(int(magnitude.argmax()), magnitude.shape[1])
    by_row, by_column = (np.asarray(acquired.any(axis=axis)) for axis in (1, 0))
    rows = columns = None
    remarks: list[str] = []
    if np.array_equal(acquired, by_row[:, None] & by_column):
        region, remarks = _checked_limits(by_column, limits)
        rows, columns = _axis(by_row, None), _axis(by_column, region)
        block = slice(*rows.centre), slice(*columns.centre)
        if nominal is None:
            nominal = next((axis.step for axis in (columns, rows) if axis.step != 1), 1)
    else:
        block = _block_of_points(acquired)
    return Sampling(acquired, rows, columns, peak, block, nominal), remarks


def _checked_limits(acquired: np.ndarray, limits: tuple[int, int] | None) -> tuple[tuple[int, int] | None, list[str]]:
    """The header's limits where the data have nothing outside, and a sentence where they have."""
    if limits is None:
        return None, []
    first, end = max(limits[0], 0), min(limits[1], acquired.size)
    outside = int(acquired.sum() - acquired[first:end].sum())
    if outside == 0 and acquired[first:end].any():
        return (first, end - 1), []
    return None, [
        f"the header's encoding limits call columns {limits[0]} to {limits[1] - 1} acquired, but {outside} columns "
        "outside hold data; the data are taken, and nothing is blanked"
    ]


def _axis(acquired: np.ndarray, region: tuple[int, int] | None) -> Axis:
    lines = np.flatnonzero(acquired)
    gaps = np.diff(lines)
    widest = int(gaps.max()) if len(gaps) else 1
    first, last = int(lines[0]), int(lines[-1])
    if widest > 1:  # a border no wider than a gap of the pattern is part of it, with a header's word up to three gaps
        least, most = region or (0, acquired.size - 1)
        near = widest if region is None else 3 * widest + 1
        first = least if first - least < near else first
        last = most if most - last < near else last
    centre = _run_around(acquired, acquired.size // 2)
    return Axis(acquired.size, first, last, len(lines), centre, _step(lines, centre))


def _run_around(acquired: np.ndarray, middle: int) -> tuple[int, int]:
    """The acquired run at ``middle``, or the nearest one."""
    lines = np.flatnonzero(acquired)
    runs: Sequence[np.ndarray] = np.split(lines, np.flatnonzero(np.diff(lines) > 1) + 1)
    nearest = min(runs, key=lambda run: int(np.abs(run - middle).min()))
    return int(nearest[0]), int(nearest[-1]) + 1


def _step(lines: np.ndarray, centre: tuple[int, int]) -> int | None:
    outside = [lines[lines <= centre[0]], lines[lines >= centre[1] - 1]]
    gaps = np.concatenate([np.diff(side) for side in outside])
    if len(gaps) == 0:
        return 1
    values, counts = np.unique(gaps, return_counts=True)
    most = int(counts.argmax())
    return int(values[most]) if counts[most] >= _SAME_STEP * len(gaps) else None


def _block_of_points(acquired: np.ndarray) -> tuple[slice, slice]:
    """The rectangle around the middle that is fully acquired, grown by turns along both axes."""
    middle = np.array(acquired.shape) // 2
    half, grows = np.array([1, 1]), [True, True]

    def block() -> tuple[slice, slice]:
        rows, columns = (slice(max(m - h, 0), m + h) for m, h in zip(middle, half))
        return rows, columns

    while any(grows):
        for axis in (0, 1):
            half[axis] += grows[axis]
            if grows[axis] and (half[axis] > middle[axis] or not acquired[block()].all()):
                half[axis] -= 1
                grows[axis] = False
    return block()
