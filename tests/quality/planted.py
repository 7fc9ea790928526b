"""How often the quality sheet errs on real pairs with planted errors: the figures of docs/quality.md.

    python -m tests.quality.planted FOLDER good mirrored other far turned

FOLDER is that of BUNDLE_TEST_DATA. A line a pair: kind, T2, T1, likeness by the headers and as registered, T1 over its
mirror image, shift and rotation found, seconds of processor time, and how many reasons the sheet has to flag it. Each
takes some 20 seconds.
"""

from __future__ import annotations

import sys
import time
from pathlib import Path

import numpy as np
import torch
from monai.data import MetaTensor
from scipy.spatial.transform import Rotation

from bundle.data.reading import read_volume
from bundle.data.registration import head_centre
from bundle.quality import judge
from bundle.quality.examination import measure
from bundle.quality.mirror import mirrored

PAIRS = {  # whose T1 and T2, and where
    "ms-longitudinal/patient01/ses-1": "patient01",
    "ms-longitudinal/patient01/ses-2": "patient01",
    "ms-longitudinal/patient03/ses-2": "patient03",
    "ms-longitudinal/patient12/ses-1": "patient12",
    "ms-longitudinal/patient12/ses-2": "patient12",
    "ms-cross-mni/patient07": "patient07",
    "ms-cross-mni/patient26": "patient26",
    "tcga-lgg-brain/TCGA-FG-6692": "TCGA-FG-6692",
    "tcga-lgg-native/TCGA-FG-6692": "TCGA-FG-6692",
    "vrd-stroke/stroke": "stroke",
    "mni-avg152/template": "template",
    "sct-cord/errsm_30": "cord",
}


def volume(folder: Path, name: str, contrast: str) -> MetaTensor:
    return read_volume(next((folder / name).glob(f"{contrast}w.nii*")))


def with_error(t1: MetaTensor, kind: str, seed: int) -> MetaTensor:
    """``far``: 20 mm off in its header, ``turned``: 15 degrees about its middle, both in a drawn direction."""
    direction = np.random.default_rng([seed, len(kind)]).normal(size=3)
    direction /= np.linalg.norm(direction)
    change, centre = np.eye(4), head_centre(t1)[:3]
    if kind == "far":
        change[:3, 3] = 20 * direction
    elif kind == "turned":
        change[:3, :3] = Rotation.from_rotvec(15 * direction, degrees=True).as_matrix()
        change[:3, 3] = centre - change[:3, :3] @ centre
    elif kind == "mirrored":
        return mirrored(t1)
    affine = torch.from_numpy(change @ np.asarray(t1.affine, dtype=np.float64))
    return MetaTensor(t1.as_tensor(), affine=affine, meta={"filename_or_obj": kind})


def cases(kind: str) -> list[tuple[str, str]]:
    """T2 and T1 of each pair: of ``other``, a T1 of another person that is drawn, heads only."""
    if kind != "other":
        return [(name, name) for name in PAIRS]
    chosen = []
    for seed, (name, person) in enumerate(PAIRS.items()):
        others = [other for other, whose in PAIRS.items() if whose not in (person, "cord") and person != "cord"]
        if others:
            chosen.append((name, str(np.random.default_rng([seed, len(kind)]).choice(others, 2, replace=False)[0])))
    return chosen


def main(folder: Path, kinds: list[str]) -> None:
    for kind in kinds:
        for t2_name, t1_name in cases(kind):
            t2, t1 = volume(folder, t2_name, "T2"), volume(folder, t1_name, "T1")
            start = time.process_time()
            found = measure(t2, with_error(t1, kind, list(PAIRS).index(t2_name)))
            found["seconds"] = time.process_time() - start
            flags = [len(judge([{**found, "name": kind}], trust)[0]["reasons"]) for trust in (False, True)]
            keys = ("likeness_before", "likeness_after", "unlike_mirror", "shift_mm", "rotation_degrees", "seconds")
            numbers = " ".join(f"{found[key]:7.3f}" for key in keys)
            print(f"{kind:<9}{t2_name:<34}{t1_name:<34}{numbers}  flags {flags[0]}, by headers {flags[1]}", flush=True)


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2:])
