"""Small NIfTI pairs whose geometry is known: T2 axial, T1 sagittal on another grid, one head in both."""

from __future__ import annotations

from pathlib import Path

import nibabel as nib
import numpy as np

from bundle.data.datalist import write_datalist

T2_AFFINE = np.array([[-4.0, 0, 0, 62], [0, -4, 0, 78], [0, 0, 8, -24], [0, 0, 0, 1]])
T2_SHAPE = (32, 40, 6)
# sagittal: the first axis runs back to front, the second bottom to top, the third right to left
T1_AFFINE = np.array([[0, 0, -5.0, 70], [-4, 0, 0, 82], [0, 4, 0, -40], [0, 0, 0, 1]])
T1_SHAPE = (42, 20, 28)


def head(affine: np.ndarray, shape: tuple[int, ...], contrast: str, seed: int = 0) -> np.ndarray:
    """An ellipsoid with ventricles and spots, sampled on any grid: ``shape``, float32."""
    voxels = np.stack(np.meshgrid(*map(np.arange, shape), indexing="ij"), axis=-1)
    x, y, z = np.moveaxis(voxels @ affine[:3, :3].T + affine[:3, 3], -1, 0)
    inside = (x / 52) ** 2 + (y / 66) ** 2 + (z / 60) ** 2 < 1
    ventricles = ((np.abs(x) - 10) / 6) ** 2 + (y / 22) ** 2 + (z / 25) ** 2 < 1
    spots = np.sin(x / 9 + seed) * np.cos(y / 11 - seed) * np.cos(z / 13)
    tissue, fluid = (300, 80) if contrast == "t1" else (150, 500)
    sign = -60 if contrast == "t1" else 60
    return (inside * np.where(ventricles, fluid, tissue + sign * spots)).astype(np.float32)


def write_pair(folder: Path, name: str, seed: int = 0) -> tuple[str, str]:
    """``name-T1.nii.gz`` and ``name-T2.nii.gz``; returns both paths."""
    folder.mkdir(parents=True, exist_ok=True)
    paths = []
    for contrast, affine, shape in (("t1", T1_AFFINE, T1_SHAPE), ("t2", T2_AFFINE, T2_SHAPE)):
        path = folder / f"{name}-{contrast.upper()}.nii.gz"
        nib.save(nib.Nifti1Image(head(affine, shape, contrast, seed), affine), path)
        paths.append(str(path))
    return paths[0], paths[1]


def write_dataset(folder: Path) -> Path:
    """A dataset_dir: two subjects for training (one with two sessions), one for validation, one for test."""
    names = {"training": [("a", "ses-1"), ("a", "ses-2"), ("b", "")], "validation": [("c", "")], "test": [("d", "")]}
    datalist = {}
    for split, volumes in names.items():
        datalist[split] = []
        for number, (subject, session) in enumerate(volumes):
            t1, t2 = write_pair(folder, f"{subject}{session}", seed=number + 3 * len(split))
            item = {"subject": subject, "t1": t1, "t2": t2} | ({"session": session} if session else {})
            datalist[split].append(item)
    write_datalist(datalist, folder / "datalist.json")
    return folder
