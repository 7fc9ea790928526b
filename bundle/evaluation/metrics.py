"""NMSE, PSNR and SSIM of a reconstructed volume; the mean and standard deviation over subjects come later.

A *profile* says over what a metric is taken and what the signal's peak is:

* ``fastmri_volume``: all voxels of the volume, the peak is the reference volume's maximum (fastMRI's convention);
* ``slice``: each slice with its own maximum, then the mean over the slices; slices without signal in the reference
  have no peak and are left out;
* ``foreground``: as ``fastmri_volume``, but only voxels of the foreground count: those above 5 % of the reference
  volume's 99th percentile, holes filled slice by slice. The SSIM map is averaged over the same voxels.

With a prediction p, a reference r and the peak L: NMSE = ||p - r||^2 / ||r||^2, PSNR = 10 log10(L^2 / mean (p - r)^2)
in dB, SSIM with a 7 x 7 uniform window, K = 0.01 / 0.03, the windows' sample covariances and only windows that lie
inside the slice: what ``skimage.metrics`` computes with ``data_range=L``, slice by slice.

Everything is float64, since a window's variance is a small difference of large numbers: MONAI's float32
``compute_ssim_and_cs`` is 2e-4 off scikit-image where the contrast is a fiftieth of the intensity, and convolutions
under TF32 or autocast keep fewer digits still.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import NamedTuple

import numpy as np
import torch
from monai.utils import convert_to_tensor
from scipy.ndimage import binary_fill_holes
from torch import Tensor
from torch.nn.functional import avg_pool2d

from ..errors import BundleError

__all__ = ["DEFAULT_PROFILE", "METRICS", "PROFILES", "ZERO_FILLED", "foreground_mask", "known", "nmse", "psnr", "ssim"]

DEFAULT_PROFILE = "fastmri_volume"
PROFILES = {
    "fastmri_volume": "whole volume; peak and data range are the reference volume's maximum; SSIM 7x7 uniform window,"
    " K = 0.01/0.03, mean over slices",
    "slice": "each slice with its own maximum as peak and data range, then the mean over slices that have signal;"
    " SSIM 7x7 uniform window, K = 0.01/0.03",
    "foreground": "voxels above 5 % of the reference's 99th percentile, holes filled slice by slice; peak and data"
    " range are the reference volume's maximum; SSIM 7x7 uniform window, K = 0.01/0.03",
}

WINDOW = 7
K1, K2 = 0.01, 0.03
FOREGROUND_FRACTION, FOREGROUND_PERCENTILE = 0.05, 99.0


class _Pieces(NamedTuple):
    """What a profile averages over: n pieces (the volume, or its slices), each of s slices; float64."""

    prediction: Tensor  # (n, s, h, w)
    reference: Tensor  # (n, s, h, w)
    peak: Tensor  # (n, 1, 1, 1)
    counted: Tensor  # (n, s, h, w), 1 where a voxel counts, else 0


def nmse(prediction: Tensor, reference: Tensor, profile: str = DEFAULT_PROFILE) -> Tensor:
    """Normalised mean squared error.

    Args:
        prediction: magnitude volume in the reference's units, ``(h, w, s)``, slices on the last axis.
        reference: fully sampled volume, ``(h, w, s)``.
        profile: a key of :data:`PROFILES`.

    Returns:
        scalar, float64; NaN where the prediction holds a NaN.

    Raises:
        BundleError: unknown profile, volumes of different shapes, or a reference without signal.
    """
    p, r, _, counted = _pieces(prediction, reference, profile)
    return (_sum(counted * (p - r) ** 2) / _sum(counted * r**2)).mean()


def psnr(prediction: Tensor, reference: Tensor, profile: str = DEFAULT_PROFILE) -> Tensor:
    """Peak signal-to-noise ratio in dB, infinite for a perfect prediction; otherwise as :func:`nmse`."""
    p, r, peak, counted = _pieces(prediction, reference, profile)
    mean_squared_error = _sum(counted * (p - r) ** 2) / _sum(counted)
    return (10 * torch.log10(peak.flatten() ** 2 / mean_squared_error)).mean()


def ssim(prediction: Tensor, reference: Tensor, profile: str = DEFAULT_PROFILE) -> Tensor:
    """Structural similarity; otherwise as :func:`nmse`.

    Raises:
        BundleError: also for slices smaller than the 7 x 7 window.
    """
    p, r, peak, counted = _pieces(prediction, reference, profile)
    if min(r.shape[-2:]) < WINDOW:
        raise BundleError(
            f"SSIM needs slices of at least {WINDOW} x {WINDOW} voxels, but these have {r.shape[-2]} x {r.shape[-1]}:"
            " use a larger image."
        )
    # One slice at a time: the five window means of a whole volume would fill gigabytes.
    pairs = zip((p / peak).flatten(0, 1), (r / peak).flatten(0, 1), strict=True)
    similarity = torch.stack([_similarity_map(x, y) for x, y in pairs]).unflatten(0, r.shape[:2])
    edge = WINDOW // 2
    counted = counted[..., edge:-edge, edge:-edge]
    return (_sum(counted * similarity) / _sum(counted)).mean()


def _similarity_map(x: Tensor, y: Tensor) -> Tensor:
    """SSIM of every window inside a slice whose data range is 1: ``(h, w)`` float64 to ``(h - 6, w - 6)``."""
    mean_x, mean_y, mean_xx, mean_yy, mean_xy = avg_pool2d(torch.stack((x, y, x * x, y * y, x * y)), WINDOW, stride=1)
    sample = WINDOW**2 / (WINDOW**2 - 1)
    variances = sample * (mean_xx - mean_x**2 + mean_yy - mean_y**2)
    covariance = sample * (mean_xy - mean_x * mean_y)
    luminance = (2 * mean_x * mean_y + K1**2) / (mean_x**2 + mean_y**2 + K1**2)
    return luminance * (2 * covariance + K2**2) / (variances + K2**2)


METRICS: dict[str, Callable[..., Tensor]] = {"nmse": nmse, "psnr": psnr, "ssim": ssim}
ZERO_FILLED = "zf_"  # before a metric's name: of the zero-filled image


def foreground_mask(reference: Tensor) -> Tensor:
    """The voxels of the ``foreground`` profile: above 5 % of the 99th percentile, holes filled slice by slice.

    Args:
        reference: volume ``(h, w, s)``.

    Returns:
        bool, ``(h, w, s)``.
    """
    volume = reference.detach().cpu().numpy()
    bright = volume > FOREGROUND_FRACTION * np.percentile(volume, FOREGROUND_PERCENTILE)
    filled = [binary_fill_holes(bright[..., index]) for index in range(bright.shape[-1])]
    return torch.from_numpy(np.stack(filled, axis=-1)).to(reference.device)


def _pieces(prediction: Tensor, reference: Tensor, profile: str) -> _Pieces:
    known(profile, PROFILES, "metric profile")
    r = _volume(reference)
    p = _volume(prediction).to(r.device)  # the zero-filled image comes from the loader, the network's from a GPU
    if p.shape != r.shape or r.ndim != 3:
        raise BundleError(
            "Metrics compare two volumes (h, w, slices) of one shape, but the reconstruction has"
            f" {tuple(p.shape)} and the reference {tuple(r.shape)}."
        )
    if r.max() <= 0:
        raise BundleError(
            f"Metrics need a reference with signal, but no voxel of this one, {tuple(r.shape)}, is above zero:"
            " check the T2 file."
        )
    counted = foreground_mask(r) if profile == "foreground" else torch.ones_like(r)
    p, r, counted = (volume.permute(2, 0, 1)[None].double().contiguous() for volume in (p, r, counted))
    if profile == "slice":
        has_signal = ~(r.amax(dim=(0, 2, 3)) <= 0)  # NaN is no "no signal": it shall show in the result
        p, r, counted = (volume[0, has_signal, None] for volume in (p, r, counted))
    return _Pieces(p, r, r.amax(dim=(1, 2, 3), keepdim=True), counted)


def _volume(values: Tensor) -> Tensor:
    """Plain float64 tensor, ``(h, w, s)``, on its own device, or on the CPU where that device has no float64."""
    volume = convert_to_tensor(values, track_meta=False).detach()
    return (volume.cpu() if volume.device.type == "mps" else volume).double()


def _sum(values: Tensor) -> Tensor:
    """``(n, s, h, w)`` to ``(n,)``."""
    return values.sum(dim=(1, 2, 3))


def known(name: str, table: Mapping, kind: str) -> str:
    """The name; BundleError where the table does not have it."""
    if not isinstance(name, str) or name not in table:
        raise BundleError(f"Unknown {kind} {name!r}: choose one of {', '.join(table)}.")
    return name
