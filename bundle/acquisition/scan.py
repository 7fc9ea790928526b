"""The simulated scan: a pair of slices becomes the network's input and its targets (Eq. 1)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import torch
from monai.transforms import Randomizable
from torch import Tensor

from ..errors import BundleError
from ..fourier import complex_to_channels, fft2c, ifft2c
from .masks import CartesianMask
from .noise import KspaceNoise
from .phase import SmoothPhase

__all__ = ["Acquired", "Acquisition", "robust_maximum"]

_SCALE_PERCENTILE = 99.0
_PEAK = 5.0  # what the brightest voxel of a slice, scaled, may reach; in the middle of a head it is about 2.5
_CONTRASTS = ("t1", "t2")  # in the order of the channels


class Acquired(NamedTuple):
    """What one scan yields.

    Attributes:
        image: the network's input, ``(..., 4, h, w)``: T1 k-space, undersampled noisy T2 k-space; real, imaginary part;
            zeros for a contrast that is not visible.
        full_kspace: the fully sampled, noise-free k-spaces in the same layout and scale.
        zero_filled: T2's zero-filled magnitude image, ``(..., h, w)``, in the units of the T2 image.
        scale: ``(..., 1, 1)``: what T2 was divided by; the network's T2 image times it is in the units of the T2 image.
        mask: sampled points, bool, ``(h, w)``, the same for all slices.
    """

    image: Tensor
    full_kspace: Tensor
    zero_filled: Tensor
    scale: Tensor
    mask: Tensor


class Acquisition(Randomizable):
    """Simulate the undersampled T2 scan of slices whose T1 is fully sampled.

    Noise is added before the mask. T1 is scaled by its own image, T2 by its zero-filled image, each by the 99th
    percentile of the slice (:func:`robust_maximum`): no scale of the fully sampled T2 reaches the network.

    Args:
        mask: draws the sampling pattern (:mod:`bundle.acquisition.masks`).
        noise: draws the noise (:mod:`bundle.acquisition.noise`).
        visible: the contrasts that the network is shown. ``("t2",)`` is reconstruction without T1; ``("t1",)`` is T2
            guessed from T1, to which the scan still gives T2's scale: it comes from the zero-filled image. All but
            ``image`` is the same whatever is visible.
        phase: gives T2 a phase (:mod:`bundle.acquisition.phase`), with the masks and the noise that it has without;
            None: none, so that its k-space is Hermitian.

    Raises:
        BundleError: ``visible`` names no contrast, or an unknown one.
    """

    def __init__(
        self,
        mask: CartesianMask,
        noise: KspaceNoise,
        visible: Sequence[str] = _CONTRASTS,
        phase: SmoothPhase | None = None,
    ) -> None:
        self.mask = mask
        self.noise = noise
        self.phase = SmoothPhase() if phase is None else phase
        self.visible = _checked_visible(visible)

    def set_random_state(self, seed: int | None = None, state: np.random.RandomState | None = None) -> Acquisition:
        """Seed the draws of mask and noise, which share one generator, and by the same seed those of the phase."""
        super().set_random_state(seed, state)
        self.mask.set_random_state(state=self.R)
        self.noise.set_random_state(state=self.R)
        self.phase.set_random_state(seed, state if seed is None else None)
        return self

    @property
    def is_hermitian(self) -> bool:
        """Whether a point of T2's k-space tells the one opposite, as of a real image."""
        return self.phase.level == 0

    def __call__(self, t1: Tensor, t2: Tensor) -> Acquired:
        """Scan one slice or a stack.

        Args:
            t1: magnitude image, ``(h, w)`` or ``(s, h, w)``, on T2's grid.
            t2: magnitude image of the same shape.
        """
        mask = torch.from_numpy(self.mask.sample(*t2.shape[-2:]))
        full = fft2c(self.phase(t2))
        sampled = self.noise(full, t2) * mask
        return self._scaled(t1, complex_to_channels(sampled), full, ifft2c(sampled).abs(), mask)

    def _scaled(self, t1: Tensor, sampled: Tensor, full: Tensor, zero_filled: Tensor, mask: Tensor) -> Acquired:
        """All of a scan in the network's scale; ``sampled`` comes as real channels, ``full`` complex."""
        scale = robust_maximum(zero_filled)
        t1_kspace = complex_to_channels(fft2c(_divide(t1, robust_maximum(t1))))
        # divided as real channels: a complex division takes six times as long
        t2_kspace, t2_full = (_divide(part, scale.unsqueeze(-3)) for part in (sampled, complex_to_channels(full)))
        scanned = {"t1": t1_kspace, "t2": t2_kspace}
        shown = [kspace if name in self.visible else torch.zeros_like(kspace) for name, kspace in scanned.items()]
        return Acquired(
            image=torch.cat(shown, dim=-3),
            full_kspace=torch.cat((t1_kspace, t2_full), dim=-3),
            zero_filled=zero_filled,
            scale=scale,
            mask=mask,
        )


def robust_maximum(image: Tensor) -> Tensor:
    """99th percentile of each slice, ``(..., h, w)`` to ``(..., 1, 1)``, but at least a fifth of its maximum.

    The latter holds where few voxels have signal: scaled by the percentile alone, which is then next to nothing, the
    first slices of a skull-stripped head would be a hundred times as bright as any that a network has seen.
    """
    voxels = image.flatten(-2)
    rank = max(1, round(voxels.shape[-1] * _SCALE_PERCENTILE / 100))
    percentile = torch.from_numpy(np.partition(voxels.numpy(), rank - 1)[..., rank - 1])  # thrice as fast as torch's
    return torch.maximum(percentile, voxels.amax(dim=-1) / _PEAK)[..., None, None]


def _divide(values: Tensor, scale: Tensor) -> Tensor:
    """An empty slice has scale 0: it stays empty here, and its reconstruction times 0 is empty again."""
    return values / torch.where(scale > 0, scale, torch.ones_like(scale))


def _checked_visible(visible: Sequence[str]) -> tuple[str, ...]:
    names = [visible] if isinstance(visible, str) else visible
    if not isinstance(names, Sequence) or not names or any(name not in _CONTRASTS for name in names):
        raise BundleError(f"visible is a list of t1, t2 or both, what the network is shown; it cannot be {visible!r}.")
    return tuple(name for name in _CONTRASTS if name in names)
