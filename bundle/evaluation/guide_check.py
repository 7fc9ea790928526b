"""Whether T1 helps a scan, asked of the scan itself: samples that are held back have to be better predicted with it.

As cross-validation does, with nothing but what the scanner has: T1 of another person, or one that lies elsewhere, makes
the prediction worse.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Hashable, Mapping, Sequence
from typing import Any

import torch
from monai.inferers import Inferer
from monai.transforms import Transform
from torch import Tensor, nn

from ..data import Place
from ..errors import BundleError
from ..fourier import mirrored, to_kspace
from ..networks.inputs import t2_kspace
from ..networks.smooth_phase import smooth_phase, turned
from ..settings import flag
from .uncertainty import reconstruction_by

__all__ = ["GuideCheckd", "held_back"]

_CENTRE = 0.04  # of the matrix, to each side: it is always sampled, and networks count on it
_EVERY = 5  # of the lines or points outside
_logger = logging.getLogger(__name__)


class GuideCheckd(Transform):
    """Leave T1 out of a volume's ``image`` where it does not help, and add ``guide_error``.

    A fifth of the samples outside the centre is held back, and in Hermitian k-space those opposite them; they are
    predicted from the others twice, with T1 and without.
    ``guide_error`` is the summed squared error with T1 over that without; from 1 on T1 is left out, for all slices.
    The network has to be one that was trained on missing T1, too (:class:`~bundle.acquisition.ImperfectGuide`).

    Args:
        network: gives the network with its weights (:func:`bundle.settings.merged.later`).
        inferer: reconstructs a volume ``(1, 4, h, w, s)`` slice by slice.
        device: where the network computes.
        enabled: False changes nothing.
        visible: what the network is shown; without T2 there are no samples to hold back.
        slices: how many of a volume are asked, evenly spread.
        beside: settings that are of reconstructions with T1, as ``coverage`` is, and whether they are on; None: none.

    Raises:
        BundleError: enabled with one of ``beside``, or no slice; at the call, an image that is not of one coil.
    """

    def __init__(
        self,
        network: Callable[[], nn.Module],
        inferer: Inferer,
        device: torch.device | str,
        enabled: bool = False,
        slices: int = 12,
        beside: Mapping[str, bool] | None = None,
        visible: str | Sequence[str] = ("t1", "t2"),
    ) -> None:
        self.network = network
        self.inferer = inferer
        self.device = device
        self.enabled = flag("check_guide", enabled)
        self.slices = slices
        if slices < 1:
            raise BundleError(f"check_guide asks 1 slice of a volume or more, not {slices}.")
        shown = [visible] if isinstance(visible, str) else list(visible)
        if self.enabled and "t2" not in shown:
            raise BundleError(f"check_guide asks samples of T2, and visible {shown} hides T2; leave out check_guide.")
        others = ", ".join(name for name, on in (beside or {}).items() if flag(name, on))
        if self.enabled and others:
            raise BundleError(
                f"check_guide may leave T1 out, and {others} is of reconstructions with T1; give one of check_guide "
                f"and {others}."
            )

    def __call__(self, data: Mapping[Hashable, Any]) -> dict[Hashable, Any]:
        """Take ``image`` (4, h, w, s), ``scale`` (1, 1, 1, s), ``mask`` (h, w), ``hermitian`` and ``place``."""
        image = data["image"]
        if not self.enabled or not image[:2].any():
            return dict(data)
        if len(image) != 4:
            raise BundleError(f"check_guide takes scans of one coil, 4 channels; this one has {len(image)}.")
        name, held = Place.from_text(data["place"]).stem, held_back(data["mask"], bool(data["hermitian"]))
        if not held.any():
            _logger.warning("%s: nothing was sampled outside the centre to check T1 by; it is used as it is.", name)
            return dict(data)
        error = self._error(image, held, data["scale"])
        if error < 1:
            _logger.info("%s: T1 helps; samples held back are missed by %.3f of the error without it.", name, error)
            return {**data, "guide_error": error}
        _logger.warning(
            "%s: T1 was left out, as it does not help: samples held back are missed by %.3f of the error without it. "
            "Is it of this person, and in place?",
            name,
            error,
        )
        return {**data, "image": _without_t1(image, 0), "guide_error": error}

    def _error(self, image: Tensor, held: Tensor, scale: Tensor) -> float:
        """Summed squared error at the samples held back, in T2's units, with T1 over without."""
        spread = self._spread(image.shape[-1])  # in its own scale a slice of air would count as much as one of the head
        asked, unit = (stack[..., spread].movedim(-1, 0).to(self.device) for stack in (image, scale))
        held = held.to(self.device)
        given = asked.clone()
        given[:, 2:4] *= ~held
        phase, reconstruct = smooth_phase(t2_kspace(given)), reconstruction_by(self.network(), self.inferer)

        def missed(shown: Tensor) -> float:
            found = reconstruct(shown)
            predicted = to_kspace(turned(torch.cat((found, torch.zeros_like(found)), dim=1), phase))
            return float(((predicted - t2_kspace(asked)) * held * unit).square().sum())

        return missed(given) / max(missed(_without_t1(given, 1)), 1e-30)

    def _spread(self, count: int) -> Tensor:
        """Which of so many slices are asked."""
        few = torch.linspace(0, count - 1, self.slices + 2).round().long()[1:-1]
        return few if count > self.slices else torch.arange(count)


def held_back(mask: Tensor, hermitian: bool) -> Tensor:
    """Of the sampled points, bool ``(h, w)``, those to predict: every fifth line outside the centre, else point.

    In Hermitian k-space, that of a magnitude image, those opposite them, too, which would tell them.
    """
    held = _fifth(mask)
    return held | (mirrored(held) & mask) if hermitian else held


def _fifth(mask: Tensor) -> Tensor:
    rows, columns = ((torch.arange(size) - size // 2).abs() / size for size in mask.shape)
    for across, distance in ((0, columns[None]), (1, rows[:, None])):
        lines = mask.any(across, keepdim=True)
        if (mask == lines).all():
            return _every(lines & (distance > _CENTRE)) & mask
    return _every(mask & (torch.hypot(rows[:, None], columns[None]) > _CENTRE))


def _every(points: Tensor) -> Tensor:
    """Every fifth of the points that are true, from the second on."""
    return points & (points.flatten().cumsum(0).reshape(points.shape) % _EVERY == 2)


def _without_t1(image: Tensor, channels: int) -> Tensor:
    """Zeros for T1, the first two of four along ``channels``."""
    t1, t2 = image.chunk(2, dim=channels)
    return torch.cat((torch.zeros_like(t1), t2), dim=channels)
