"""The networks that are timed, each with its training step and its reconstruction, on the same synthetic slices."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass, field

import torch
from monai.inferers import SliceInferer
from torch import Tensor, nn

from ..compute.memory import keep_freed_memory, release_freed_memory
from ..compute.placement import amp_dtype, place
from ..compute.winograd import torch_operators
from ..errors import BundleError
from ..networks import MANet, UNetT2
from ..training.losses import HybridDomainLoss, ImageLoss
from .peers import FastMRIUNet, PublishedMANet

__all__ = ["VARIANTS", "Contestant", "Slices", "contestants", "difference"]

# How this bundle's network may compute; "as shipped" is what the configs' defaults make of it on the device
VARIANTS = {
    "plain torch": {"channels_last": False},
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
        label: the fully sampled k-spaces, ``(b, 4, h, w)``.
    """

    image: Tensor
    label: Tensor

    @classmethod
    def random(cls, count: int, size: int, device: str) -> Slices:
        """``count`` slices of ``size`` x ``size``, the same every time."""
        generator = torch.Generator().manual_seed(0)
        image, label = (torch.randn(count, 4, size, size, generator=generator).to(device) for _ in range(2))
        return cls(image, label)


@dataclass
class Contestant:
    """One network, ready to be timed.

    Attributes:
        label: its name in tables.
        network: on its device.
        loss: output and label to a scalar.
        make_optimizer: parameters' optimiser, made at the first training step.
        own: whether this bundle's operators and its handling of memory are in use (on a CPU).
        amp: the type of mixed precision; None for float32.
    """

    label: str
    network: nn.Module
    loss: Callable[..., Tensor]
    make_optimizer: Callable[[], torch.optim.Optimizer]
    own: bool = False
    amp: torch.dtype | None = None
    _optimizer: torch.optim.Optimizer | None = field(default=None, repr=False)

    def train_step(self, slices: Slices) -> Tensor:
        """Forward, loss, backward, and the optimiser's step; returns the loss."""
        if self._optimizer is None:
            self._optimizer = self.make_optimizer()
        self.network.train()
        self._optimizer.zero_grad(set_to_none=True)
        with self._surroundings():
            with self._autocast(slices):
                loss = self.loss(self.network(slices.image), slices.label)
            loss.backward()
            self._optimizer.step()
        return loss.detach()

    def reconstruct(self, slices: Slices, batch_size: int = 4) -> Tensor:
        """All slices as one volume, ``(1, 1, h, w, b)``, by MONAI's inferer, as the configs do."""
        self.network.eval()
        inferer = SliceInferer(roi_size=(-1, -1), spatial_dim=2, sw_batch_size=batch_size)
        volume = slices.image.permute(1, 2, 3, 0)[None]
        with torch.inference_mode(), self._surroundings(), self._autocast(slices):
            return inferer(volume, self.network)

    @contextmanager
    def _surroundings(self) -> Iterator[None]:
        """Memory as the C library has it by default and torch's operators, or this bundle's ways."""
        if self.own:
            keep_freed_memory()
            yield
        else:
            release_freed_memory()
            with torch_operators():
                yield

    def _autocast(self, slices: Slices) -> AbstractContextManager:
        device = slices.image.device.type
        return nullcontext() if self.amp is None else torch.autocast(device, dtype=self.amp)


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
    for name in variants:
        for dtype in (None, amp_dtype(device)) if amp else (None,):
            entries.append(_own(name, peer, channels, device, dtype))
    return entries


def difference(one: Contestant, other: Contestant, slices: Slices) -> float:
    """Largest difference of two reconstructions, in units of the largest voxel."""
    if isinstance(one.network, PublishedMANet):
        one.network.use_centred_fft()
    first, second = (contestant.reconstruct(slices) for contestant in (one, other))
    if isinstance(one.network, PublishedMANet):
        one.network.use_published_fft()
    return float((first - second).abs().max() / first.abs().max())


def _own(
    name: str, peer: PublishedMANet | FastMRIUNet | None, channels: int, device: str, dtype: torch.dtype | None
) -> Contestant:
    width = channels if peer is None else peer.channels
    is_unet = isinstance(peer, FastMRIUNet)
    network, loss = (UNetT2(width), ImageLoss()) if is_unet else (MANet(width), HybridDomainLoss())
    if peer is not None:
        network.load_state_dict(peer.own_state_dict())
    network = place(network, device, width, **VARIANTS[name])
    return Contestant(
        label=f"this bundle, {name}" + (f", {str(dtype).removeprefix('torch.')}" if dtype else ""),
        network=network,
        loss=loss,
        make_optimizer=lambda: torch.optim.Adam(network.parameters(), lr=0.001, fused=True),
        own=name != _PLAIN,
        amp=dtype,
    )
