"""The unrolled network on raw k-space of any number of coils: other data consistency, the same weights."""

from __future__ import annotations

from collections.abc import Mapping
from typing import cast

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from ..errors import BundleError
from ..fourier import channels_to_complex, complex_to_channels, magnitude_image
from .coils import CoilOperator
from .data_consistency import SoftDataConsistency, measured_noise
from .unrolled import Unrolled

__all__ = ["MulticoilUnrolled", "for_coils", "multicoil_network"]

_T1 = 2  # channels


class MulticoilUnrolled(Unrolled):
    """An :class:`Unrolled` whose cascades keep to what each coil has measured.

    Between the cascades' networks, :meth:`CoilOperator.draw_towards` takes the place of soft data consistency, with the
    weights that it has learned; for one coil that has the image's smooth phase both are the same. Height and width may
    be any: the cascades' networks see the image padded with zeros.

    ``image`` is ``(b, 2 + 4 coils, h, w)``: T1's k-space; undersampled k-space of each coil; sensitivity of each coil,
    each real and imaginary part. Sensitivities have the image's phase (:func:`bundle.kspace.coils.estimate_maps`).

    Args:
        iterations: of conjugate gradients after each cascade.
        settings: of :class:`Unrolled`.
    """

    def __init__(self, iterations: int = 2, **settings) -> None:
        super().__init__(**settings)
        self.iterations = iterations

    def reconstruct(self, image: Tensor) -> Tensor:
        """The complex T2 image as two channels, ``(b, 2, h, w)``."""
        coils, rest = divmod(image.shape[1] - _T1, 4) if image.ndim == 4 else (0, 1)
        if rest or coils < 1:
            raise BundleError(
                "MulticoilUnrolled expects (b, 2 + 4 coils, h, w): T1's k-space, k-space and sensitivities of the "
                f"coils; it was given {tuple(image.shape)}."
            )
        measured, maps = (
            channels_to_complex(part.unflatten(1, (coils, 2))) for part in image[:, _T1:].split(2 * coils, dim=1)
        )
        operator = CoilOperator(maps, (measured != 0).any(dim=1, keepdim=True))
        noise = _noise(measured, operator.sampled)
        zero_filled = operator.adjoint(measured)
        current, fixed = zero_filled, torch.cat((complex_to_channels(zero_filled), magnitude_image(image[:, :_T1])), 1)
        memory = torch.zeros_like(image[:, :1]).expand(-1, self.memory, -1, -1)
        for regulariser, consistency in zip(self.regularisers, self.consistencies):
            seen = torch.cat((complex_to_channels(current), fixed, memory), dim=1)
            change = self._padded(regulariser, seen)
            weight = cast(SoftDataConsistency, consistency).weight_at(noise)[:, 0]
            moved = current + channels_to_complex(change[:, :2])
            current = operator.draw_towards(moved, zero_filled, weight, self.iterations)
            memory = change[:, 2:]
        return complex_to_channels(current)

    def _padded(self, regulariser: torch.nn.Module, images: Tensor) -> Tensor:
        """The regulariser on images padded to what it can halve."""
        height, width = images.shape[-2:]
        more = [-size % self.divisor for size in (width, height)]
        return regulariser(F.pad(images, [0, more[0], 0, more[1]])).float()[..., :height, :width]


def multicoil_network(
    weights: Mapping[str, Tensor], name: str = "The checkpoint", iterations: int = 2
) -> MulticoilUnrolled:
    """A network for raw k-space that takes the weights of an :class:`Unrolled`; it has random ones yet.

    Args:
        weights: tensors by name.
        name: of their file, for the message.
        iterations: of conjugate gradients after each cascade.

    Raises:
        BundleError: they are of another network.
    """
    settings = Unrolled.settings_from(weights)
    if settings is None:
        raise BundleError(
            f"{name} is of another network than Unrolled, the one that takes raw k-space; give models/model.pt, or "
            "weights trained with experiments/unrolled.yaml."
        )
    return MulticoilUnrolled(iterations, **settings)


def for_coils(network: nn.Module) -> MulticoilUnrolled:
    """The same network for k-space of several coils, with its weights.

    Raises:
        BundleError: it is no :class:`Unrolled`.
    """
    weights = network.state_dict()
    found = multicoil_network(weights, f"The {type(network).__name__} of network_def")
    found.load_state_dict(weights)
    return found


def _noise(measured: Tensor, sampled: Tensor) -> Tensor:
    """As :func:`measured_noise`, the root mean square over coils: one coil's noise where all have the same."""
    powers = [measured_noise(complex_to_channels(coil), sampled).square() for coil in measured.unbind(dim=1)]
    return torch.stack(powers).mean(dim=0).sqrt()
