"""DICOM series as a scanner writes them, one file a slice, made of arrays."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.uid import UID, ExplicitVRLittleEndian, MRImageStorage, generate_uid

from bundle.evaluation.dicom_files import save_slice
from tests.nifti_pairs import head

STUDY = "1.2.826.0.1.3680043.8.498.77"
TURN = np.array([[0.96, -0.18, 0.214], [0.21, 0.967, -0.144], [-0.181, 0.183, 0.966]])
ROWS_AND_COLUMNS = np.linalg.qr(TURN)[0] * np.sign(np.diag(np.linalg.qr(TURN)[1]))  # oblique, orthonormal
# LPS; pixels are not square: 3.5 mm along a row, 4 mm down a column
T2_SHAPE, T2_SPACING = (32, 40, 6), (3.5, 4.0, 8.0)
T1_SHAPE, T1_SPACING = (30, 36, 10), (4.2, 4.4, 5.5)
_GENERAL = {
    "SOPClassUID": MRImageStorage,
    "StudyDate": "20240102",
    "StudyTime": "101112",
    "AccessionNumber": "",
    "Modality": "MR",
    "Manufacturer": "ACME",
    "ManufacturerModelName": "Coil",
    "ReferringPhysicianName": "",
    "PatientName": "Doe^Jane",
    "PatientID": "7",
    "PatientBirthDate": "19700101",
    "PatientSex": "F",
    "ScanningSequence": "SE",
    "SequenceVariant": "SK",
    "ScanOptions": "",
    "MRAcquisitionType": "2D",
    "RepetitionTime": "4000",
    "EchoTrainLength": "16",
    "PatientPosition": "HFS",
    "BodyPartExamined": "BRAIN",
    "StudyInstanceUID": STUDY,
    "StudyID": "1",
    "FrameOfReferenceUID": STUDY + ".1",
    "PositionReferenceIndicator": "",
    "SamplesPerPixel": 1,
    "PhotometricInterpretation": "MONOCHROME2",
    "BitsAllocated": 16,
    "BitsStored": 16,
    "HighBit": 15,
    "PixelRepresentation": 0,
    "WindowCenter": "300",
    "WindowWidth": "600",
    "ImageType": ["ORIGINAL", "PRIMARY", "M", "SE"],
}


def affine_of(shape: Sequence[int], spacing: Sequence[float]) -> np.ndarray:
    """4x4, voxel to RAS mm, of an oblique grid about the origin."""
    axes = np.diag([-1.0, -1.0, 1.0]) @ ROWS_AND_COLUMNS @ np.diag(spacing)
    affine = np.eye(4)
    affine[:3, :3], affine[:3, 3] = axes, -axes @ (np.array(shape) - 1) / 2
    return affine


def write_series(
    folder: Path,
    voxels: np.ndarray,
    affine: np.ndarray,
    number: int = 5,
    description: str = "t2_tse_tra",
    change: Callable[[Dataset, int], Any] = lambda image, place: None,
) -> list[Path]:
    """Write ``(x, y, z)`` whole numbers as a series that lies where ``affine`` (RAS) says.

    Args:
        change: called with each slice before it is written, and its place.

    Returns:
        the files, in order.
    """
    folder.mkdir(parents=True, exist_ok=True)
    lps = np.diag([-1.0, -1.0, 1.0, 1.0]) @ affine
    spacing = np.linalg.norm(lps[:3, :3], axis=0)
    cosines = (lps[:3, :2] / spacing[:2]).T.ravel()
    uid, paths = generate_uid(entropy_srcs=[str(folder), str(number)]), []
    for place in range(voxels.shape[2]):
        image = Dataset()
        for keyword, value in _GENERAL.items():
            setattr(image, keyword, value)
        image.SOPInstanceUID, image.SeriesInstanceUID = UID(f"{uid[:50]}.{place + 1}"), uid
        image.SeriesNumber, image.SeriesDescription, image.InstanceNumber = number, description, place + 1
        image.EchoTime = "100" if "t2" in description else "12"
        image.ImageOrientationPatient = [f"{value:.12g}" for value in cosines]
        image.ImagePositionPatient = [f"{value:.12g}" for value in (lps @ [0, 0, place, 1])[:3]]
        image.PixelSpacing = [f"{value:.10g}" for value in spacing[1::-1]]
        image.SliceThickness = image.SpacingBetweenSlices = f"{spacing[2]:.10g}"
        image.Columns, image.Rows = voxels.shape[:2]
        plane = voxels[:, :, place].T.astype(np.uint16)
        image.SmallestImagePixelValue, image.LargestImagePixelValue = int(plane.min()), int(plane.max())
        image.PixelData = plane.tobytes()
        image.file_meta = FileMetaDataset()
        image.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
        change(image, place)
        paths.append(folder / f"IM{place + 1:04}")
        save_slice(image, paths[-1])
    return paths


def write_dicom_pair(folder: Path) -> tuple[str, str]:
    """``folder/T1`` and ``folder/T2``, one head on two oblique grids; returns both paths."""
    grids = {"T1": (T1_SHAPE, T1_SPACING, 3, "t1_se_tra"), "T2": (T2_SHAPE, T2_SPACING, 5, "t2_tse_tra")}
    for contrast, (shape, spacing, number, description) in grids.items():
        affine = affine_of(shape, spacing)
        voxels = np.rint(head(affine, shape, contrast.lower()))
        write_series(folder / contrast, voxels, affine, number, description)
    return str(folder / "T1"), str(folder / "T2")
