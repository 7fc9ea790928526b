"""IXI's files at a tiny size, as the real ones lie: T1 sagittal, T2 axial, some voxels apart, in one archive each."""

from __future__ import annotations

import gzip
import io
import tarfile

import nibabel as nib
import numpy as np

from tests.nifti_pairs import T2_AFFINE, T2_SHAPE, head

# PSR: the first axis runs to the back, the second up, the third to the right
T1_AFFINE = np.array([[0, 0, 5.0, -68], [-4, 0, 0, 82], [0, 4, 0, -40], [0, 0, 0, 1]])
T1_SHAPE = (42, 20, 28)
OFFSET = np.array([8.0, -8.0, 4.0])  # mm, of T1, which its header does not know: two voxels
DEPTH = T2_SHAPE[2]


def image_bytes(contrast: str, person: int = 0, offset: np.ndarray = OFFSET) -> bytes:
    """A ``.nii.gz`` of whole numbers; persons differ."""
    affine, shape = (T1_AFFINE, T1_SHAPE) if contrast == "T1" else (T2_AFFINE, T2_SHAPE)
    voxels = head(affine, shape, contrast.lower(), person)
    told = affine.copy()
    told[:3, 3] += offset * (contrast == "T1")
    image = nib.Nifti1Image(np.rint(voxels).astype(np.int16), told)
    image.set_qform(told, 1)
    image.set_sform(told, 1)
    image.header.set_xyzt_units("mm")
    return gzip.compress(image.to_bytes(), mtime=0)


def archive(contents: dict[str, bytes]) -> bytes:
    """A tar of files."""
    file = io.BytesIO()
    with tarfile.open(fileobj=file, mode="w") as tar:
        for name, content in contents.items():
            member = tarfile.TarInfo(name)
            member.size = len(content)
            tar.addfile(member, io.BytesIO(content))
    return file.getvalue()
