"""Pictures of lesions: T1, zero-filled, reconstruction and reference, side by side, cut out around each."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
from matplotlib.figure import Figure

from ..data.slices import Geometry
from ..plotting import ACCENT, BACKGROUND, dark_figure
from .figures import T1_WINDOW_PERCENTILE, label_panel, window_end

__all__ = ["LesionCrop", "lesion_figure"]

HALF_WIDTH = 24.0  # mm, of what is cut out
PANEL, MARGIN = 2.6, 0.5  # inches
HEADROOM = 1.2  # of the lesion's brightest voxel; fluid, which is brighter, shall not leave the tissue dark


class LesionCrop(NamedTuple):
    """What lies around a lesion in its fullest slice, upright; a voxel is ``aspect`` times as high as wide."""

    images: tuple[np.ndarray, ...]  # T1, zero-filled, reconstruction, reference
    mask: np.ndarray
    aspect: float

    @classmethod
    def of(
        cls, images: Sequence[np.ndarray], mask: np.ndarray, place: Mapping[str, Any], geometry: Geometry
    ) -> LesionCrop:
        """Cut volumes ``(h, w, s)`` around the ``row`` and ``column`` of a ``slice``."""
        half = np.round(HALF_WIDTH / np.array(geometry.spacing)).astype(int)
        middle = np.array([place["row"], place["column"]])
        box = tuple(slice(max(0, low), high) for low, high in zip(middle - half, middle + half + 1))
        cut = [np.rot90(volume[..., place["slice"]][box], geometry.upright) for volume in (*images, mask)]
        return cls(tuple(cut[:-1]), cut[-1], geometry.spacing[1] / geometry.spacing[0])


def lesion_figure(lesions: Sequence[tuple[LesionCrop, Mapping[str, Any]]], network_name: str = "MANet") -> Figure:
    """One row a lesion; T2's three images share a grey window that ends above the lesion, outlined on T1.

    Args:
        lesions: what is cut out, and the lesion's row of ``lesions.csv``.
        network_name: label of the reconstruction.
    """
    height = len(lesions) * (PANEL + MARGIN)
    figure = dark_figure(4 * PANEL, height)
    panels = figure.subplots(len(lesions), 4, squeeze=False, subplot_kw={"facecolor": BACKGROUND})
    figure.subplots_adjust(0.01, 0.01, 0.99, 1 - MARGIN / height, 0.03, MARGIN / PANEL)
    for line, (crop, row) in zip(panels, lesions):
        white = HEADROOM * float(crop.images[-1][crop.mask].max())
        heads = [f"{row['volume']}, slice {row['slice'] + 1}, {row['volume_ml']:.2f} ml"]
        kept = {"zero-filled": row["zf_survives"], network_name: row["survives"]}
        heads += [f"{name} keeps {share:.0%}" for name, share in kept.items()]
        for panel, image, head in zip(line, crop.images, [*heads, "reference"]):
            end = window_end(image, T1_WINDOW_PERCENTILE) if panel is line[0] else white
            panel.imshow(image, cmap="gray", vmin=0, vmax=end, aspect=crop.aspect)
            panel.set_axis_off()
            label_panel(panel, head)
        line[0].contour(crop.mask, levels=[0.5], colors=[ACCENT], linewidths=0.8)
    return figure
