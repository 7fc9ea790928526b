"""Images of raw scans: cut to what the scanner shows without loss, on an affine that follows."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from bundle.errors import BundleError
from bundle.fourier import fft2c, ifft2c
from bundle.kspace import ReadScand, read_image, read_kspace
from bundle.kspace.images import without_oversampling
from tests.kspace.raw_files import kspace_of, middle, write_array, write_fastmri
from tests.nifti_pairs import write_pair


@pytest.mark.parametrize("combination", ["adaptive", "rss"])
def test_the_image_of_a_full_scan_is_the_known_one_and_lies_where_the_middle_lies(
    tmp_path, coil_kspace, head, combination
):
    affine = np.diag([2.0, 3, 4, 1])
    path = write_array(tmp_path / "x.npy", coil_kspace, affine=affine.tolist(), crop=[32, 30])
    volume = ReadScand(["t2"], combination)({"t2": str(path)})["t2"]
    assert volume.shape == (1, 32, 30, 3)
    np.testing.assert_allclose(volume[0].permute(2, 0, 1).numpy(), middle(head, 32, 30), atol=1e-3 * head.max())
    np.testing.assert_allclose(volume.affine[:3, 3], [2 * 16, 3 * 3, 0])


def test_readout_oversampling_is_cut_and_no_line_that_was_left_out_is_filled(tmp_path, coil_kspace, head):
    mask = np.zeros(36, dtype=bool)
    mask[1::3] = mask[15:21] = True
    scan = read_kspace(write_fastmri(tmp_path / "x.h5", coil_kspace * mask, 32, mask=mask))
    cut = without_oversampling(scan)
    assert cut.kspace.shape == (3, 4, 32, 36) and cut.sampling.effective == pytest.approx(scan.sampling.effective)
    images = ifft2c(torch.from_numpy(coil_kspace)).numpy()
    expected = fft2c(torch.from_numpy(middle(images, 32, 36))).numpy() * mask
    np.testing.assert_allclose(cut.kspace.numpy(), expected, atol=1e-3)
    np.testing.assert_allclose(cut.affine @ [16, 18, 0, 1], scan.affine @ [32, 18, 0, 1])
    full = without_oversampling(read_kspace(write_fastmri(tmp_path / "y.h5", kspace_of(head), 32)))
    np.testing.assert_allclose(full.kspace[:, 0].numpy(), kspace_of(middle(head, 32, 36)), atol=1e-3)


def test_points_and_asymmetric_echoes_are_not_cut(tmp_path, coil_kspace):
    echo = coil_kspace.copy()
    echo[:, :, :20] = 0
    scan = read_kspace(write_array(tmp_path / "x.npy", echo, crop=[32, 32]))
    assert without_oversampling(scan) is scan


def test_nifti_is_read_as_it_is_and_an_undersampled_guide_is_told(tmp_path, coil_kspace, caplog):
    t1, _ = write_pair(tmp_path, "x")
    assert read_image(t1).shape == (1, 42, 20, 28)
    undersampled = coil_kspace.copy()
    undersampled[..., 1::2] = 0
    read_image(write_array(tmp_path / "x.npy", undersampled))
    assert "x.npy is undersampled, 2 times; what is taken of it is its zero-filled image." in caplog.text
    with pytest.raises(BundleError, match="combination is adaptive or rss"):
        ReadScand("t1", "sum")


def test_a_centre_of_few_lines_is_told(tmp_path, coil_kspace, caplog):
    for name, half in {"narrow": 1, "wide": 4}.items():
        mask = (np.arange(36) % 3 == 0) | (abs(np.arange(36) - 18) < half)
        read_image(write_array(tmp_path / f"{name}.npy", coil_kspace * mask))
    told = [line for line in caplog.messages if "around the zero frequency are fully sampled" in line]
    assert len(told) == 1 and "narrow.npy: only 63 rows x 1 columns" in told[0]
