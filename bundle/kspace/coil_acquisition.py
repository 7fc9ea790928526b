"""The simulated scan of several coils: a pair of slices becomes what the unrolled network takes of raw k-space."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

from ..acquisition.mask_families import CartesianMask
from ..acquisition.masks import VariedMask
from ..acquisition.noise import KspaceNoise
from ..acquisition.phase import SmoothPhase
from ..acquisition.scan import Acquired, Acquisition
from ..fourier import complex_to_channels, fft2c, ifft2c
from .coils import combine, estimate_maps
from .sampling import find_sampling
from .simulated_coils import SimulatedCoils

__all__ = ["CoilAcquisition"]


class CoilAcquisition(Acquisition):
    """An :class:`~bundle.acquisition.Acquisition` whose T2 is received by several coils.

    Mask, noise and phase are drawn as there, and each coil has noise of its own of that standard deviation. What it
    yields differs from there in ``image``, ``(..., 2 + 4 coils, h, w)`` as
    :class:`bundle.networks.MulticoilUnrolled` takes it: T1's k-space, each coil's k-space, each coil's sensitivity; and
    in ``zero_filled``, the magnitude of the combined zero-filled coil images.

    Args:
        mask, noise, visible, phase: as there.
        coils: draws the sensitivities; None: eight coils.
        known_maps: give the network the sensitivities that the scan was made with, and its phase with them; else those
            that the sampled centre tells (:func:`~bundle.kspace.estimate_maps`), as of a scanner's data.
    """

    def __init__(
        self,
        mask: CartesianMask | VariedMask,
        noise: KspaceNoise,
        visible: Sequence[str] = ("t1", "t2"),
        phase: SmoothPhase | None = None,
        coils: SimulatedCoils | None = None,
        known_maps: bool = False,
    ) -> None:
        super().__init__(mask, noise, visible, phase)  # type: ignore[arg-type]  # a varied mask draws as any other
        self.coils = SimulatedCoils() if coils is None else coils
        self.known_maps = known_maps

    def set_random_state(self, seed: int | None = None, state: np.random.RandomState | None = None) -> CoilAcquisition:
        """Seed the draws as those of a single coil, so that mask and phase are the same; coils by the same seed."""
        super().set_random_state(seed, state)
        self.coils.set_random_state(seed, state if seed is None else None)
        return self

    @property
    def is_hermitian(self) -> bool:
        """A coil's k-space is not, as its sensitivity has a phase."""
        return False

    def __call__(self, t1: Tensor, t2: Tensor) -> Acquired:
        """Scan one slice or a stack, as there; all slices with the same coils."""
        mask = torch.from_numpy(self.mask.sample(*t2.shape[-2:]))
        plane = t2.shape[-2:]
        known = self.coils.sample(*plane) * self.phase(torch.ones(plane))  # the maps have the image's phase
        sampled = self.noise(fft2c(t2.unsqueeze(-3) * known), t2.unsqueeze(-3)) * mask
        maps = known.expand_as(sampled) if self.known_maps else _estimated(sampled, mask)
        zero_filled = combine(ifft2c(sampled), maps).abs()
        coil_channels = complex_to_channels(sampled).flatten(-4, -3)
        acquired = self._scaled(t1, coil_channels, fft2c(t2), zero_filled, mask)
        channels = complex_to_channels(maps).flatten(-4, -3)
        return acquired._replace(image=torch.cat((acquired.image, channels), dim=-3))


def _estimated(sampled: Tensor, mask: Tensor) -> Tensor:
    """As of a scanner's file: ``(..., coils, h, w)`` to the same."""
    sampling, _ = find_sampling(mask.numpy())
    return estimate_maps(sampled.reshape(-1, *sampled.shape[-3:]), sampling).reshape(sampled.shape)
