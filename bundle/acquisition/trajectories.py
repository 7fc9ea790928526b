"""Radial and spiral readouts, on the points of the Cartesian grid nearest to their samples.

A readout is drawn in normalised k-space, as complex numbers ``kx + i ky`` with ``|k| <= 1``; each of its samples moves
to the nearest point of the ``(h, w)`` grid, zero frequency at ``(h // 2, w // 2)``. ``|k| = 1`` is an ellipse with the
semi-axes ``(h - 1) // 2`` and ``(w - 1) // 2``, which for square pixels is the disk that a scanner covers; the corners
of k-space lie outside of it.

Points are flat indices into the grid, in the order of acquisition: so a mask of any exact count is the start of a list.
What does not depend on a draw (radii, number of spokes, shape of the spiral) is computed once for a size and cached.
"""

from __future__ import annotations

from functools import lru_cache

import numpy as np

__all__ = ["first_distinct", "points_by_radius", "radial_points", "spiral_points"]

GOLDEN_ANGLE = np.pi * (np.sqrt(5) - 1) / 2  # 111.25 degrees: any number of successive spokes is spread evenly
INTERLEAVES = 8
CORE_SPACING = 0.7  # grid steps between turns at the centre of the spiral: below 1, so that hardly a point is missed
MARGIN = 1.03  # a rotated readout may meet a few points fewer; what is too much is cut from its end


def first_distinct(points: np.ndarray, size: int) -> np.ndarray:
    """The points without repetitions, each at its first place; no sorting.

    Args:
        points: flat indices below ``size``, ``(n,)``.
        size: number of points of the grid.
    """
    ranks = np.arange(len(points), dtype=np.int32)
    rank_of = np.empty(size, dtype=np.int32)
    rank_of[points[::-1]] = ranks[::-1]  # of equal indices numpy keeps the last one assigned: here the list's first
    return points[rank_of[points] == ranks]


@lru_cache(maxsize=16)
def points_by_radius(height: int, width: int) -> tuple[np.ndarray, np.ndarray]:
    """Every point of the grid from the centre outwards, ``(h * w,)``, and its radius in units of half the grid."""
    rows = (np.arange(height) - height // 2) / (height / 2)
    columns = (np.arange(width) - width // 2) / (width / 2)
    radii = np.hypot(rows[:, None], columns).ravel()
    order = np.argsort(radii, kind="stable")
    return order, radii[order]


def radial_points(height: int, width: int, count: int, start_angle: float) -> np.ndarray:
    """Golden-angle spokes through the centre, at least ``count`` distinct points where spokes can reach that many.

    Args:
        height, width: size of the grid.
        count: number of distinct points asked for.
        start_angle: angle of the first spoke in radians.

    Returns:
        flat indices with repetitions; spoke after spoke, each from the centre outwards on both sides.
    """
    return _spokes(height, width, _spokes_needed(height, width, count), start_angle)


def spiral_points(height: int, width: int, count: int, rotation: float) -> np.ndarray:
    """Interleaved spirals, denser in the centre, at least ``count`` distinct points where they can reach that many.

    Args:
        height, width: size of the grid.
        count: number of distinct points asked for.
        rotation: angle in radians by which the whole trajectory is turned.

    Returns:
        flat indices with repetitions, from the centre outwards on all interleaves at once.
    """
    return _nearest_points(_spiral(height, width, count) * np.complex64(np.exp(1j * rotation)), height, width)


def _nearest_points(kspace: np.ndarray, height: int, width: int) -> np.ndarray:
    """Flat index of the grid point nearest to each ``kx + i ky`` with ``|k| <= 1``, in C order."""
    rows = np.rint(kspace.imag * ((height - 1) // 2)).astype(np.int32) + height // 2
    columns = np.rint(kspace.real * ((width - 1) // 2)).astype(np.int32) + width // 2
    return (rows * width + columns).ravel()


def _spokes(height: int, width: int, number: int, start_angle: float) -> np.ndarray:
    steps = (max(height, width) - 1) // 2
    directions = np.exp(1j * (start_angle + GOLDEN_ANGLE * np.arange(number))).astype(np.complex64)
    radii = np.linspace(0, 1, steps + 1, dtype=np.float32)
    sides = np.array([1, -1], dtype=np.float32)
    return _nearest_points(directions[:, None, None] * radii[:, None] * sides, height, width)


def _spokes_needed(height: int, width: int, count: int) -> int:
    """Number of spokes that meet ``count`` distinct points with a margin; twice the perimeter at most."""
    met, number = _met_by_spokes(height, width), 4
    while number < len(met) and met[number - 1] < MARGIN * count:
        number += max(1, number // 16)
    return number


@lru_cache(maxsize=16)
def _met_by_spokes(height: int, width: int) -> np.ndarray:
    """How many distinct points the first spoke meets, the first two, and so on up to twice the perimeter."""
    limit = 4 * (height + width)
    points = _spokes(height, width, limit, 0.0)
    firsts = np.unique(points, return_index=True)[1]
    return np.bincount(firsts // (len(points) // limit), minlength=limit).cumsum()


@lru_cache(maxsize=64)
def _spiral(height: int, width: int, count: int) -> np.ndarray:
    """The unrotated trajectory in normalised k-space, ``(samples, interleaves)``: the sparsest that meets the count.

    The radius of the dense core is bisected, since the number of distinct points met grows with it.
    """
    sparse, dense = 0.5, 4.0 * ((max(height, width) - 1) // 2)
    for _ in range(14):
        core = np.sqrt(sparse * dense)
        met = _met_by_spiral(height, width, core)
        sparse, dense = (sparse, core) if met >= MARGIN * count else (core, dense)
    return _spiral_of_core(height, width, dense)


@lru_cache(maxsize=2**14)  # all that the bisections of a size come to
def _met_by_spiral(height: int, width: int, core: float) -> int:
    """How many distinct points the unrotated spiral of a core meets."""
    met = np.zeros(height * width, dtype=bool)
    met[_nearest_points(_spiral_of_core(height, width, core), height, width)] = True
    return int(met.sum())


def _spiral_of_core(height: int, width: int, core: float) -> np.ndarray:
    """All interleaves, ``(samples, interleaves)``."""
    turns = np.exp(2j * np.pi * np.arange(INTERLEAVES) / INTERLEAVES)
    return (_spiral_arm(core, (max(height, width) - 1) // 2)[:, None] * turns).astype(np.complex64)


def _spiral_arm(core: float, limit: float) -> np.ndarray:
    """One interleaf from the centre to ``|k| = 1``, samples ``CORE_SPACING`` grid steps apart along it.

    At radius r (grid steps) the turns of all interleaves lie ``CORE_SPACING * (1 + (r / core)**3)`` apart: a core
    that is sampled completely, and a density that falls with the cube of the radius outside of it.
    """
    radii = np.linspace(0, limit, 8 * int(limit) + 2)
    spacing = CORE_SPACING * (1 + (radii[1:] / core) ** 3)
    turned = 2 * np.pi * np.diff(radii) / (INTERLEAVES * spacing)
    path = np.concatenate(([0.0], np.cumsum(np.hypot(np.diff(radii), radii[1:] * turned))))
    angles = np.concatenate(([0.0], np.cumsum(turned)))
    samples = np.linspace(0, path[-1], int(np.ceil(path[-1] / CORE_SPACING)) + 1)
    return np.interp(samples, path, radii) / max(limit, 1) * np.exp(1j * np.interp(samples, path, angles))
