"""A server's reconstruction as a series: asked for rightly, and written beside the folders it comes from."""

from __future__ import annotations

import numpy as np
import pydicom
import pytest
import torch

from bundle.data.inference_pair import inference_items
from bundle.errors import BundleError
from bundle.label.recon_series import check_series_asked, check_series_possible, recon_folder, write_recon_series
from tests.dicom_series import T2_SHAPE, write_dicom_pair


def test_a_series_is_written_only_where_it_is_asked_for():
    assert check_series_asked({"output_format": "dicom", "result_dtype": "float32"})
    assert not check_series_asked({"output_format": ""}) and not check_series_asked({"result_dtype": "uint8"})


@pytest.mark.parametrize(
    ("request_", "said"),
    [
        ({"output_format": "png"}, "output_format is nifti or dicom"),
        ({"output_format": "dicom", "result_dtype": "uint16"}, "with output_format dicom leave out result_dtype"),
    ],
)
def test_what_cannot_be_written_is_told(request_, said):
    with pytest.raises(BundleError, match=said):
        check_series_asked(request_)


def test_the_series_tells_of_the_scan_and_lies_beside_its_sources(tmp_path):
    t1, t2 = write_dicom_pair(tmp_path)
    check_series_possible(t1, t2)
    files = {key: value for key, value in inference_items(t1, t2, "")[0].items() if key != "subject"}
    mask = torch.zeros(1, 1, 8, 1)
    mask[:, :, :2] = 1
    data = {"pred": np.full(T2_SHAPE, 700.4), "files": files, "alignment": {"note": "registered"}, "mask": mask}
    scan = {"visible": ["t1", "t2"], "pattern": "random", "noise_level": 0.1, "noise_unit": "mean", "phase_level": 0}
    write_recon_series(data, scan, {"network": "MANet", "sha256": "0123456789abcdef" * 4})
    images = [pydicom.dcmread(file) for file in sorted(recon_folder(t2).iterdir())]
    assert recon_folder(t2) == tmp_path / "recon" and len(images) == T2_SHAPE[2]
    assert images[0].SeriesDescription == "Research reconstruction, undersampled 4.00x, weights 01234567"
    assert (images[0].pixel_array == 700).all()
