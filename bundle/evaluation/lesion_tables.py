"""What an evaluation tells of real lesions: one row each, medians by size, pictures of best, median and worst."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pandas as pd
from ignite.engine import Events
from monai.engines import SupervisedEvaluator

from ..data.prepared import PreparedVolumes
from ..outputs import write_text
from ..paths import path_of
from ..plotting import save_figure
from ..table_formats import aligned
from .lesion_figure import LesionCrop, lesion_figure
from .lesion_masks import lesion_mask
from .lesions import measure_lesions

__all__ = ["LesionTables", "by_volume"]

SIZES = (0.0, 0.03, 0.1, 1.0, np.inf)  # ml; those of a row of the summary are from one on, and below the next
SHOWN_FROM = 0.03  # ml, in the figure
MEDIANS = ("t2_contrast", "t1_contrast", "energy_sampled", "zf_survives", "survives")
COLUMNS = ("subject", "volume", "lesion", "row", "column", "slice", "volume_ml", *MEDIANS, "left_out")
FIGURE = "figures/lesions.png"


class LesionTables:
    """Write ``lesions.csv``, ``lesions_summary.json`` and ``figures/lesions.png``, and print the summary.

    :mod:`bundle.evaluation.lesions` defines the columns; ``volume_ml`` is that of the voxels on the matrix. The
    settings and weights of the evaluation stand in ``metrics_summary.json``. Nothing is written where the datalist
    names no mask.

    Args:
        output_dir: gets the files.
        volumes: what the evaluator's dataset serves; those with a file ``lesions`` are measured.
        network_name: of the reconstruction.

    Raises:
        BundleError: what :func:`lesion_mask` refuses, before anything is reconstructed.
    """

    def __init__(self, output_dir: str, volumes: PreparedVolumes, network_name: str = "MANet") -> None:
        self.output_dir = path_of("output_dir", output_dir)
        self.volumes = volumes
        self.network_name = network_name
        self._rows: list[dict[str, Any]] = []
        self._crops: list[LesionCrop] = []
        for volume in volumes:
            lesion_mask(volume)

    def attach(self, engine: SupervisedEvaluator) -> None:
        """Called by the evaluator."""
        engine.add_event_handler(Events.ITERATION_COMPLETED, self._add)
        engine.add_event_handler(Events.COMPLETED, self._write)

    def _add(self, engine: SupervisedEvaluator) -> None:
        for item, output in zip(engine.state.batch, engine.state.output):
            volume = self.volumes[int(item["index"])]
            mask = lesion_mask(volume)
            if mask is None:
                continue
            named = {"t1": item["t1"], "zf_survives": item["zero_filled"], "survives": output["pred"]}
            images = {name: image[0].float().cpu().numpy() for name, image in named.items()}
            t1, reference = images.pop("t1"), item["reference"][0].float().cpu().numpy()
            voxel = abs(np.linalg.det(volume.geometry.matrix_affine[:3, :3])) / 1000  # ml
            for row in measure_lesions(mask, t1, reference, images, item["mask"].cpu().numpy()):
                own = {"subject": volume.subject, "volume": volume.name, "volume_ml": row.pop("voxels") * voxel}
                self._rows.append(own | row)
                shown = (t1, images["zf_survives"], images["survives"], reference)
                self._crops.append(LesionCrop.of(shown, mask, row, volume.geometry))

    def _write(self, engine: SupervisedEvaluator) -> None:
        rows, crops = self._rows, self._crops
        self._rows, self._crops = [], []
        if not rows:
            return
        table = pd.DataFrame(rows)[list(COLUMNS)]
        write_text(self.output_dir / "lesions.csv", table.to_csv(index=False, float_format="%.4g", lineterminator="\n"))
        summary = {name: by_volume(group) for name, group in [("all", table), *table.groupby("subject")]}
        text = json.dumps({"network": self.network_name, "lesions": summary}, indent=2, allow_nan=False)
        write_text(self.output_dir / "lesions_summary.json", text + "\n")
        print(_in_words(summary["all"], self.network_name))
        shown = table[(table.left_out == "") & (table.volume_ml >= SHOWN_FROM)].sort_values("survives")
        if len(shown):
            worst_median_best = [shown.index[place] for place in (-1, len(shown) // 2, 0)]
            chosen = [(crops[index], table.loc[index].to_dict()) for index in worst_median_best]
            save_figure(lesion_figure(chosen, self.network_name), self.output_dir / FIGURE)


def by_volume(table: pd.DataFrame) -> list[dict[str, Any]]:
    """Lesions of one size together.

    Args:
        table: rows as in ``lesions.csv``.

    Returns:
        for each size with a lesion ``from_ml``, ``to_ml`` (None without end), ``lesions``, ``left_out`` (how many),
        and of the others ``quartiles``: column -> [lower quartile, median, upper quartile], None where none is left;
        of a column that none of them has, as T1's contrast beyond its field of view, three times None.
    """
    found = []
    for low, high in zip(SIZES, SIZES[1:]):
        group = table[(table.volume_ml >= low) & (table.volume_ml < high)]
        kept = group[group.left_out == ""]
        quartiles = kept[list(MEDIANS)].quantile([0.25, 0.5, 0.75]).round(4)
        row = {"from_ml": low, "to_ml": high if np.isfinite(high) else None, "lesions": len(group)}
        row["left_out"] = len(group) - len(kept)
        there = quartiles.astype(object).where(quartiles.notna(), None)
        row["quartiles"] = there.to_dict("list") if len(kept) else None
        found += [row] if len(group) else []
    return found


def _in_words(rows: list[dict[str, Any]], network_name: str) -> str:
    """The medians as a table."""
    heads = ["lesions", "n", "left out", "energy sampled", "zero-filled keeps", f"{network_name} keeps"]
    lines = [heads, ["---"] * len(heads)]
    for row in rows:
        size = f"{row['from_ml']:g} to {row['to_ml']:g} ml" if row["to_ml"] else f"{row['from_ml']:g} ml and more"
        medians = [(row["quartiles"] or {}).get(name, [None] * 3)[1] for name in MEDIANS[2:]]
        shown = ["" if median is None else f"{median:.2f}" for median in medians]
        lines.append([size, str(row["lesions"]), str(row["left_out"]), *shown])
    return "Contrast of lesions to their surroundings, over that of the reference, medians:\n" + aligned(lines)
