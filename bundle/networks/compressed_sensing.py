"""Classical compressed sensing with total variation, as a network without parameters; T1 is not looked at.

For each slice the complex image x that minimises ``||M F x - y||^2 / 2 + weight * TV(x)``: F is the centred orthonormal
FFT, M keeps the sampled points, y is what was measured there, and TV is isotropic, the sum over pixels of the length of
the forward difference (Lustig et al., Magn Reson Med 58:1182, 2007; Block et al., Magn Reson Med 57:1086, 2007). Solved
by the primal-dual algorithm of Chambolle and Pock (J Math Imaging Vis 40:120, 2011), from PyProximal.

The image's phase is left free, as a scanner's is: that k-space of simulated scans is Hermitian is not made use of.
"""

from __future__ import annotations

import math
from numbers import Integral, Real

import numpy as np
import torch
from torch import Tensor, nn

from ..errors import BundleError
from ..fourier import channels_to_complex, ifft2c
from .inputs import check_input, t2_kspace

__all__ = ["CompressedSensing"]

_PRIMAL_STEP = 2.0  # converges fastest for images of about 1 and weights of about 0.01
_DUAL_STEP = 1 / (8 * _PRIMAL_STEP)  # the squared norm of forward differences in two dimensions is at most 8


class CompressedSensing(nn.Module):
    """Total-variation reconstruction of T2 from its undersampled k-space alone.

    The default weight was chosen among 0.0025, 0.005, 0.007, 0.01, 0.014, 0.02 and 0.03 by the PSNR of about 15 slices
    of each case below (150 iterations): within 0.12 dB of the best one in all four, so that one value serves all scans.
    Two subjects, 128 x 128, 6x, noise level 0.1; zero filling, then this (PSNR dB / SSIM of the whole volume):

    * whole head (patient12 session 1, 44 slices): 1D random 24.49/.585, 25.23/.726; 2D radial 25.74/.436, 28.20/.787;
    * without skull (patient07, 182 slices): 1D random 27.42/.737, 29.45/.871; 2D radial 29.55/.646, 34.84/.955.

    After 100 iterations the objective is 0.3 to 1.4 % above that of 1000. The 900 more gain at most 0.13 dB in three of
    the cases, but 0.55 dB in 1D random without skull (4 or 5 slices of each).

    Args:
        weight: of total variation against the data, above 0, in units of the scaled image (T2 is divided by the 99th
            percentile of its zero-filled image before it comes here).
        iterations: of the primal-dual algorithm; the time is proportional to it.

    Raises:
        BundleError: a weight or a number of iterations out of range.
    """

    def __init__(self, weight: float = 0.01, iterations: int = 100) -> None:
        super().__init__()
        if not _is(Real, weight) or not 0 < weight < math.inf:
            raise BundleError(f"The weight of total variation is a number above 0, such as 0.01; not {weight!r}.")
        if not _is(Integral, iterations) or iterations < 1:
            raise BundleError(f"Compressed sensing takes a whole number of iterations, at least 1; not {iterations!r}.")
        self.weight = float(weight)
        self.iterations = int(iterations)

    def forward(self, image: Tensor) -> Tensor:
        """Reconstruct T2, the same in training and in eval mode, without gradients.

        Args:
            image: ``(b, 4, h, w)``, any size; points of T2's k-space that are exactly zero count as not sampled.

        Returns:
            T2 magnitude image ``(b, 1, h, w)``, float32, on the device of ``image``; computed on the CPU.
        """
        check_input(image, "CompressedSensing")
        kspaces = channels_to_complex(t2_kspace(image.detach().cpu())).numpy()
        slices = [np.abs(self.reconstruct(kspace)) for kspace in kspaces]
        return torch.from_numpy(np.stack(slices)[:, None]).to(image.device)

    def reconstruct(self, kspace: np.ndarray) -> np.ndarray:
        """Undersampled complex64 k-space of one slice, ``(h, w)``, to its complex64 image, ``(h, w)``."""
        from pyproximal.optimization.primaldual import PrimalDual  # 0.3 s, for this network only

        if not kspace.any():
            return np.zeros_like(kspace)
        data, variation, differences = _objective(kspace, self.weight)
        zero_filled = ifft2c(torch.from_numpy(kspace)).numpy().ravel()
        image = PrimalDual(
            data, variation, differences, x0=zero_filled, tau=_PRIMAL_STEP, mu=_DUAL_STEP, niter=self.iterations
        )
        return image.reshape(kspace.shape)


def _objective(kspace: np.ndarray, weight: float) -> tuple:
    """Data term of the flat image, ``weight`` times the length of flat differences, and the differences' operator."""
    import pylops
    import pyproximal

    sampled = np.flatnonzero(kspace)
    options = {"dtype": kspace.dtype}
    fourier = pylops.signalprocessing.FFT2D(
        kspace.shape, norm="ortho", ifftshift_before=True, fftshift_after=True, engine="scipy", **options
    )
    measured = pyproximal.L2(b=kspace.ravel()[sampled])
    # rows of an orthonormal matrix: the data term's proximal step has a closed form
    data = pyproximal.Orthogonal(measured, pylops.Restriction(kspace.size, sampled, **options) @ fourier, partial=True)
    differences = pylops.VStack(
        [pylops.FirstDerivative(kspace.shape, axis=axis, kind="forward", **options) for axis in (0, 1)]
    )
    return data, pyproximal.L21(ndim=2, sigma=weight), differences


def _is(kind: type, value: object) -> bool:
    return isinstance(value, kind) and not isinstance(value, bool)
