"""Metrics against scikit-image and independent numpy."""

from __future__ import annotations

import math
import warnings

import numpy as np
import pytest
import torch
from scipy.ndimage import gaussian_filter
from skimage.metrics import peak_signal_noise_ratio, structural_similarity

from bundle.errors import BundleError
from bundle.evaluation.metrics import METRICS, PROFILES, foreground_mask, nmse, psnr, ssim

TOLERANCE = 1e-4


def volumes(scale: float = 1000.0, offset: float = 0.0, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """A smooth head-like reference (40, 52, 6) whose slices differ in brightness, and a noisy prediction."""
    random = np.random.default_rng(seed)
    rows, columns = np.mgrid[-1:1:40j, -1:1:52j]
    head = (rows**2 + columns**2 < 0.7).astype(float)
    texture = gaussian_filter(random.standard_normal((40, 52, 6)), (2, 2, 0)) * 4
    brightness = np.linspace(0.4, 1.0, 6)
    reference = scale * (head[..., None] * np.abs(1 + texture) * brightness) + offset
    prediction = np.abs(reference + 0.08 * scale * random.standard_normal(reference.shape))
    return prediction.astype(np.float32), reference.astype(np.float32)


def skimage_ssim(prediction: np.ndarray, reference: np.ndarray, data_range: float) -> float:
    return structural_similarity(
        reference.astype(np.float64),
        prediction.astype(np.float64),
        win_size=7,
        gaussian_weights=False,
        use_sample_covariance=True,
        data_range=data_range,
    )


def computed(metric: str, prediction: np.ndarray, reference: np.ndarray, profile: str) -> float:
    return METRICS[metric](torch.from_numpy(prediction), torch.from_numpy(reference), profile).item()


@pytest.mark.parametrize(("scale", "offset"), [(1000.0, 0.0), (1e-6, 0.0), (1.0, 50.0), (3e6, 1e6)])
def test_fastmri_volume_equals_scikit_image_for_any_intensity_scale_and_offset(scale, offset):
    prediction, reference = volumes(scale, offset)
    peak = float(reference.max())
    similarity = np.mean([skimage_ssim(prediction[..., i], reference[..., i], peak) for i in range(6)])
    p, r = prediction.astype(np.float64), reference.astype(np.float64)
    assert computed("ssim", prediction, reference, "fastmri_volume") == pytest.approx(similarity, abs=TOLERANCE)
    assert computed("psnr", prediction, reference, "fastmri_volume") == pytest.approx(
        peak_signal_noise_ratio(r, p, data_range=peak), abs=TOLERANCE
    )
    assert computed("nmse", prediction, reference, "fastmri_volume") == pytest.approx(
        np.linalg.norm(p - r) ** 2 / np.linalg.norm(r) ** 2, rel=TOLERANCE
    )


def test_sample_covariance_is_told_from_population_covariance():
    prediction, reference = volumes()
    slices = prediction[..., :1], reference[..., :1]
    population = structural_similarity(
        slices[1][..., 0], slices[0][..., 0], win_size=7, use_sample_covariance=False, data_range=reference.max()
    )
    peak = reference[..., :1].max()
    sample = skimage_ssim(slices[0][..., 0], slices[1][..., 0], peak)
    assert abs(computed("ssim", *slices, "fastmri_volume") - sample) < 1e-5
    assert abs(population - sample) > 1e-3


def test_slice_profile_is_the_mean_over_slices_with_their_own_maximum_and_leaves_empty_slices_out():
    prediction, reference = volumes()
    reference[..., 2] = 0
    kept = [0, 1, 3, 4, 5]
    pairs = [(prediction[..., i], reference[..., i]) for i in kept]
    expected = {
        "ssim": np.mean([skimage_ssim(p, r, r.max()) for p, r in pairs]),
        "psnr": np.mean([peak_signal_noise_ratio(r, p, data_range=r.max()) for p, r in pairs]),
        "nmse": np.mean([np.sum((p - r) ** 2) / np.sum(r**2) for p, r in pairs]),
    }
    for metric, value in expected.items():
        assert computed(metric, prediction, reference, "slice") == pytest.approx(value, abs=TOLERANCE)


def test_foreground_profile_averages_over_the_mask_only():
    prediction, reference = volumes()
    mask = foreground_mask(torch.from_numpy(reference)).numpy()
    assert 0.3 < mask.mean() < 0.8
    peak = reference.max()
    error = (prediction - reference)[mask].astype(np.float64)
    maps = np.stack(
        [
            structural_similarity(
                reference[..., i].astype(float), prediction[..., i].astype(float), data_range=peak, full=True
            )[1]
            for i in range(6)
        ],
        axis=-1,
    )
    inside = mask.copy()
    inside[:3] = inside[-3:] = False
    inside[:, :3] = inside[:, -3:] = False
    expected = {
        "ssim": maps[inside].mean(),
        "psnr": 10 * np.log10(float(peak) ** 2 / np.mean(error**2)),
        "nmse": np.sum(error**2) / np.sum(reference[mask].astype(np.float64) ** 2),
    }
    for metric, value in expected.items():
        assert computed(metric, prediction, reference, "foreground") == pytest.approx(value, abs=TOLERANCE)


def test_foreground_fills_holes_and_leaves_the_background_out():
    reference = torch.zeros(20, 20, 2)
    reference[4:16, 4:16] = 100.0
    reference[8:11, 8:11] = 0.0
    expected = torch.zeros(20, 20, 2, dtype=torch.bool)
    expected[4:16, 4:16] = True
    assert torch.equal(foreground_mask(reference), expected)


@pytest.mark.parametrize("profile", PROFILES)
def test_perfect_prediction_has_ssim_one_nmse_zero_and_infinite_psnr(profile):
    _, reference = volumes()
    assert computed("ssim", reference, reference, profile) == pytest.approx(1.0, abs=1e-6)
    assert computed("nmse", reference, reference, profile) == 0.0
    assert computed("psnr", reference, reference, profile) == math.inf


@pytest.mark.parametrize("profile", PROFILES)
@pytest.mark.parametrize("metric", METRICS)
def test_metrics_do_not_depend_on_the_unit_of_intensity(metric, profile):
    prediction, reference = volumes()
    value = computed(metric, prediction, reference, profile)
    assert computed(metric, prediction * 1024, reference * 1024, profile) == pytest.approx(value, rel=1e-6)


@pytest.mark.parametrize("profile", PROFILES)
@pytest.mark.parametrize("metric", METRICS)
def test_one_nan_in_the_prediction_makes_the_result_nan(metric, profile):
    prediction, reference = volumes()
    prediction[20, 26, 3] = np.nan
    assert math.isnan(computed(metric, prediction, reference, profile))


@pytest.mark.parametrize("metric", METRICS)
def test_reference_without_signal_is_refused(metric):
    with pytest.raises(BundleError, match="signal"):
        METRICS[metric](torch.rand(16, 16, 2), torch.zeros(16, 16, 2))


def test_shapes_that_differ_and_slices_smaller_than_the_window_are_refused():
    with pytest.raises(BundleError, match=r"\(16, 16, 2\).*\(16, 16, 3\)"):
        nmse(torch.rand(16, 16, 2), torch.rand(16, 16, 3))
    with pytest.raises(BundleError, match="7 x 7"):
        ssim(torch.rand(6, 16, 2), torch.rand(6, 16, 2))
    assert ssim(torch.rand(7, 7, 1), torch.rand(7, 7, 1)).isfinite()


def test_unknown_profile_is_refused_by_name():
    with pytest.raises(BundleError, match="brain"):
        psnr(torch.rand(8, 8, 1), torch.rand(8, 8, 1), "brain")


def test_real_volume_equals_scikit_image(shared_data):
    import nibabel

    file = shared_data / "ms-longitudinal/patient03/ses-2/T2w.nii.gz"
    if not file.is_file():
        pytest.skip(f"{file} is not there")
    reference = np.ascontiguousarray(np.asanyarray(nibabel.load(file).dataobj, dtype=np.float32)[..., 18:26])
    noise = np.random.default_rng(0).standard_normal(reference.shape).astype(np.float32)
    prediction = np.abs(gaussian_filter(reference, (1, 1, 0)) + 0.03 * reference.max() * noise)
    expected = np.mean(
        [skimage_ssim(prediction[..., i], reference[..., i], reference.max()) for i in range(reference.shape[-1])]
    )
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert computed("ssim", prediction, reference, "fastmri_volume") == pytest.approx(expected, abs=TOLERANCE)
