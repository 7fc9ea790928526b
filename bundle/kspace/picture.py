"""A small picture of what was found: a slice, its k-space, and what was acquired."""

from __future__ import annotations

import numpy as np
from matplotlib.figure import Figure

from ..plotting import MUTED, TEXT, dark_figure

__all__ = ["draw_found"]

_DECADES = 4  # of k-space's magnitude, from its peak down


def draw_found(title: str, image: np.ndarray, kspace: np.ndarray, acquired: np.ndarray | None, aspect: float) -> Figure:
    """One slice.

    Args:
        title: above all.
        image: magnitude, ``(h, w)``.
        kspace: magnitude of its k-space, ``(h, w)``.
        acquired: bool, ``(h, w)``; None for an image file.
        aspect: height of the image's voxels over their width.
    """
    level = np.log10(np.maximum(kspace / max(float(kspace.max()), 1e-30), 10.0**-_DECADES))
    panels = [("image, zero-filled" if acquired is not None else "image", image, aspect), ("k-space, log", level, 1.0)]
    if acquired is not None:
        panels.append(("acquired", acquired.astype(float), 1.0))
    figure = dark_figure(2.6 * len(panels), 3.2)
    figure.suptitle(title, color=TEXT, size=9, parse_math=False)
    for number, (label, values, ratio) in enumerate(panels, start=1):
        axes = figure.add_subplot(1, len(panels), number)
        axes.imshow(values, cmap="gray", vmax=np.percentile(values, 99.7) if number == 1 else None, aspect=ratio)
        axes.set_title(label, color=MUTED, size=8)
        axes.set_axis_off()
    figure.subplots_adjust(left=0.02, right=0.98, bottom=0.02, top=0.84, wspace=0.05)
    return figure
