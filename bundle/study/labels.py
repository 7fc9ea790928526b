"""Labels of points in a panel, placed so that none covers another, a point, or the panel's edge."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib.axes import Axes

__all__ = ["label_points"]

DISTANCES = (7, 12, 18, 26, 36, 48, 62, 78, 96, 116, 140)  # from the point to the label's edge, in font points
DIRECTIONS = np.deg2rad([0, 180, 90, 270, *(angle for angle in range(15, 360, 15) if angle % 90)])
LEADER = 14  # a label farther away than this is tied to its point by a line
POINT = 5  # half the side of a point's marker
SAMPLES = np.linspace(0.15, 1, 14)[:, None]  # places along a leader where it must not cross a label or a point
ROUNDS = 6
# what is bad about a place: pixels covered, pixels out of the panel, places where leaders cross, other points so
# near that they seem the label's own, and the way to it
COVERED, OUTSIDE, CROSSED, DOUBTFUL, FAR = 1.0, 10.0, 150.0, 80.0, 1.5


def label_points(
    axes: Axes,
    points: Mapping[str, tuple[float, float]],
    colours: Mapping[str, object],
    obstacles: Sequence[Sequence[float]] = (),
    size: float = 8.5,
) -> None:
    """Write each label beside its point; the panel's place and limits must be final.

    Each label in turn takes the place that is best given the others', for a few rounds.

    Args:
        axes: the panel, its points drawn already.
        points: label -> place in data coordinates, finite.
        colours: label -> its colour, that of its point.
        obstacles: boxes ``(x0, y0, x1, y1)`` in pixels to keep clear of.
        size: of the font.
    """
    axes.set(xlim=axes.get_xlim(), ylim=axes.get_ylim())  # asking for limits makes matplotlib settle them
    figure, pixels = axes.figure, axes.figure.dpi / 72
    style = {"size": size, "ha": "center", "va": "center", "parse_math": False, "zorder": 5}
    notes = [
        axes.annotate(name, xy, (0, 0), textcoords="offset points", color=colours[name], **style)
        for name, xy in points.items()
    ]
    renderer = figure.canvas.get_renderer()
    extents = [np.array(note.get_window_extent(renderer).size) + 4 * pixels for note in notes]
    centres = axes.transData.transform(np.array(list(points.values()), dtype=np.float64).reshape(-1, 2))
    marks = np.hstack([centres - POINT * pixels, centres + POINT * pixels])
    panel = np.array(axes.get_window_extent().extents)
    fixed = np.array([*obstacles, *marks]).reshape(-1, 4)
    places = [_Places(centre, extent, pixels) for centre, extent in zip(centres, extents)]
    chosen = [0] * len(places)
    for _ in range(ROUNDS):
        before = list(chosen)
        for number, place in enumerate(places):
            rest = [(other, pick) for at, (other, pick) in enumerate(zip(places, chosen)) if at != number]
            boxes = np.array([*fixed, *(other.boxes[pick] for other, pick in rest)])
            leaders = np.array([other.leaders[pick] for other, pick in rest]).reshape(-1, 2)
            others = np.delete(centres, number, axis=0)
            chosen[number] = int(np.argmin(place.costs(boxes, leaders, others, panel)))
        if chosen == before:
            break
    for note, xy, place, pick in zip(notes, points.values(), places, chosen):
        note.set_position(tuple(place.offsets[pick] / pixels))
        if place.tied[pick]:
            line = np.array([xy, axes.transData.inverted().transform(place.leaders[pick][-1])])
            style = {"color": note.get_color(), "linewidth": 0.6, "alpha": 0.7, "zorder": 1}
            axes.plot(*line.T, scalex=False, scaley=False, **style)


class _Places:
    """All places that a label of ``extent`` pixels may take around its point at ``centre``, in pixels."""

    def __init__(self, centre: np.ndarray, extent: np.ndarray, pixels: float) -> None:
        directions = np.round(np.stack([np.cos(DIRECTIONS), np.sin(DIRECTIONS)], axis=-1), 6)
        self.offsets = np.concatenate([directions * (distance * pixels + extent / 2) for distance in DISTANCES])
        self.distances = np.repeat(DISTANCES, len(directions))
        self.near = POINT * 2.2 * pixels  # what is this near to a label seems to be its point
        self.tied = self.distances > LEADER
        middles = centre + self.offsets
        self.boxes = np.hstack([middles - extent / 2, middles + extent / 2])
        ends = np.clip(centre, self.boxes[:, :2], self.boxes[:, 2:])
        self.leaders = centre + SAMPLES * (ends - centre)[:, None]  # (places, samples, 2)

    def costs(self, taken: np.ndarray, leaders: np.ndarray, others: np.ndarray, panel: np.ndarray) -> np.ndarray:
        """How bad each place is, given taken boxes ``(n, 4)``, others' leaders and points ``(m, 2)`` and the panel."""
        outside = _area(self.boxes) - _overlap(self.boxes, panel[None])[:, 0]
        # its own leader starts at its own point, whose box the samples leave out but for the nearest of them
        crossings = _inside(self.leaders.reshape(-1, 2), taken).sum(axis=1).reshape(self.tied.size, -1).sum(axis=1)
        crossed = self.tied * crossings + _inside(leaders, self.boxes).sum(axis=0)
        covered = _overlap(self.boxes, taken).sum(axis=1)
        gaps = np.clip(others, self.boxes[:, None, :2], self.boxes[:, None, 2:]) - others
        doubtful = (np.linalg.norm(gaps, axis=-1) < self.near).sum(axis=1)
        return COVERED * covered + OUTSIDE * outside + CROSSED * crossed + DOUBTFUL * doubtful + FAR * self.distances


def _area(boxes: np.ndarray) -> np.ndarray:
    return np.prod(boxes[:, 2:] - boxes[:, :2], axis=1)


def _overlap(boxes: np.ndarray, others: np.ndarray) -> np.ndarray:
    """Common area of ``(n, 4)`` and ``(m, 4)`` boxes: ``(n, m)``."""
    low = np.maximum(boxes[:, None, :2], others[None, :, :2])
    high = np.minimum(boxes[:, None, 2:], others[None, :, 2:])
    return np.prod(np.clip(high - low, 0, None), axis=-1)


def _inside(points: np.ndarray, boxes: np.ndarray) -> np.ndarray:
    """Which of ``(n, 2)`` points lie in which of ``(m, 4)`` boxes: ``(n, m)``."""
    points = points[:, None]
    return ((points > boxes[None, :, :2]) & (points < boxes[None, :, 2:])).all(axis=-1)
