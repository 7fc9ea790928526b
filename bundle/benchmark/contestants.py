"""The networks that are timed, each with its training step and its reconstruction, on the same synthetic slices."""

from __future__ import annotations

import copy
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import cast

import torch
from monai.inferers import SliceInferer
from torch import Tensor, nn

from ..compute import place
from ..compute.memory import keep_freed_memory, release_freed_memory
from ..errors import BundleError
from ..networks import MANet, UNetT2
from ..training.losses import HybridDomainLoss, ImageLoss
from .peers import FastMRIUNet, PublishedMANet

__all__ = ["VARIANTS", "Contestant", "Slices", "contestants", "difference"]

# How this bundle's network is placed; "as shipped" is what the configs' defaults make of it on the device
VARIANTS: dict[str, dict[str, bool]] = {
    "plain torch": {},  # not placed: channels first, nothing converted, memory as the C library has it
    "as shipped": {},
    "channels last": {"channels_last": True},
    "channels first": {"channels_last": False},
    "compiled": {"compile": True},
    "compiled channels last": {"channels_last": True, "compile": True},
}
_PLAIN = "plain torch"


@dataclass(frozen=True)
class Slices:
    """Synthetic slices: time does not depend on what they show.

    Attributes:
        image: the network's input, ``(b, 4, h, w)``.
        full_kspace: the fully sampled k-spaces, ``(b, 4, h, w)``.
    """

    image: Tensor
    full_kspace: Tensor

    @classmethod
    def random(cls, count: int, size: int, device: str) -> Slices:
        """``count`` slices of ``size`` x ``size``, the same every time."""
        generator = torch.Generator().manual_seed(0)
        image, full_kspace = (torch.randn(count, 4, size, size, generator=generator).to(device) for _ in range(2))
        return cls(image, full_kspace)


@dataclass
class Contestant:
    """One network, ready to be timed.

    Attributes:
        label: its name in tables.
        network: on its device.
        loss: output and fully sampled k-spaces to a scalar.
        make_optimizer: parameters' optimiser, made at the first training step.
        placed: whether freed memory is kept, on a CPU, as :func:`bundle.compute.place` has it.
        amp: whether it computes in bfloat16.
    """

    label: str
    network: nn.Module
    loss: Callable[..., Tensor]
    make_optimizer: Callable[[], torch.optim.Optimizer]
    placed: bool = False
    amp: bool = False
    _optimizer: torch.optim.Optimizer | None = field(default=None, repr=False)

    def train_step(self, slices: Slices) -> Tensor:
        """Forward, loss, backward, and the optimiser's step; returns the loss."""
        if self._optimizer is None:
            self._optimizer = self.make_optimizer()
        self.network.train()
        self._optimizer.zero_grad(set_to_none=True)
        self._set_memory()
        with self._autocast(slices):
            output = self.network(slices.image)
        loss = self.loss(output, slices.full_kspace)
        loss.backward()
        self._optimizer.step()
        return loss.detach()

    def reconstruct(self, slices: Slices, batch_size: int = 4) -> Tensor:
        """All slices as one volume, ``(1, 1, h, w, b)``, by MONAI's inferer, as the configs do."""
        self.network.eval()
        inferer = SliceInferer(roi_size=(-1, -1), spatial_dim=2, sw_batch_size=batch_size)
        volume = slices.image.permute(1, 2, 3, 0)[None]
        self._set_memory()
        with torch.inference_mode(), self._autocast(slices):
            return cast(Tensor, inferer(volume, self.network))

    def _set_memory(self) -> None:
        if self.placed:
            keep_freed_memory()
        else:
            release_freed_memory()

    def _autocast(self, slices: Slices) -> torch.autocast:
        return torch.autocast(slices.image.device.type, dtype=torch.bfloat16, enabled=self.amp)


def contestants(
    peer: PublishedMANet | FastMRIUNet | None, channels: int, device: str, variants: Sequence[str], amp: bool
) -> list[Contestant]:
    """The peer, if there is one, and this bundle's network of the same function and weights, in several variants.

    Args:
        peer: compared with; None compares the variants with each other.
        channels: of this bundle's network where there is no peer, whose width is its own.
        device: where all compute.
        variants: names among :data:`VARIANTS`.
        amp: whether the variants compute in mixed precision too, each a contestant of its own.

    Raises:
        BundleError: an unknown variant.
    """
    if unknown := set(variants) - set(VARIANTS):
        raise BundleError(f"There is no variant {sorted(unknown)[0]!r}; choose among {', '.join(VARIANTS)}.")
    entries = [] if peer is None else [Contestant(peer.label, peer.to(device), peer.loss, peer.optimizer)]
    network, loss = _network(peer, channels)
    for name in variants:
        for mixed in (False, True) if amp else (False,):
            entries.append(_variant(name, copy.deepcopy(network), loss, device, mixed))
    return entries


def difference(one: Contestant, other: Contestant, slices: Slices) -> float:
    """Largest difference of two reconstructions, in units of the largest voxel."""
    if isinstance(one.network, PublishedMANet):
        one.network.use_centred_fft()
    first, second = (contestant.reconstruct(slices) for contestant in (one, other))
    if isinstance(one.network, PublishedMANet):
        one.network.use_published_fft()
    return float((first - second).abs().max() / first.abs().max())


def _network(peer: PublishedMANet | FastMRIUNet | None, channels: int) -> tuple[nn.Module, nn.Module]:
    """This bundle's network of the peer's function and weights, and its loss."""
    width = channels if peer is None else peer.channels
    is_unet = isinstance(peer, FastMRIUNet)
    network, loss = (UNetT2(width), ImageLoss()) if is_unet else (MANet(width), HybridDomainLoss())
    if peer is not None:
        network.load_state_dict(peer.own_state_dict())
    return network, loss


def _variant(name: str, network: nn.Module, loss: nn.Module, device: str, amp: bool) -> Contestant:
    placed = name != _PLAIN
    network = place(network, device, **VARIANTS[name]) if placed else network.to(device)
    return Contestant(
        label=f"this bundle, {name}" + (", bfloat16" if amp else ""),
        network=network,
        loss=loss,
        make_optimizer=lambda: torch.optim.Adam(network.parameters(), lr=0.001, fused=True),
        placed=placed,
        amp=amp,
    )
