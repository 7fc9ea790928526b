"""The peers: networks from checkouts of others' code, kept outside this repository.

Two are known, each by the file that holds its network:

* the published MANet (chunmeifeng/MANet), ``fastmri/models/MANet.py``: its two stages, joined as its
  ``module_MANet.py`` does, with ``torch.ifft``, which torch no longer has, replaced by ``torch.fft.ifft2``; its loss
  and its optimiser. The rest of that code does not run as published.
* fastMRI's U-Net (facebookresearch/fastMRI), ``fastmri/models/unet.py``.
"""

from __future__ import annotations

import importlib.util
from pathlib import Path
from types import ModuleType

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from ..errors import BundleError
from ..fourier import magnitude_image
from ..networks import MANetOutput, UNetT2
from ..networks.inputs import t2_magnitude
from ..networks.published_weights import convert_reference_state_dict

__all__ = ["FASTMRI_FILE", "MANET_FILE", "FastMRIUNet", "PublishedMANet", "load_peer"]

MANET_FILE = Path("fastmri/models/MANet.py")
FASTMRI_FILE = Path("fastmri/models/unet.py")


class PublishedMANet(nn.Module):
    """The published network with 64 features; parameter names are those of its checkpoints."""

    label = "published MANet"
    channels = 64

    def __init__(self, code: ModuleType) -> None:
        super().__init__()
        self.UNet_k = code.Dense_Unet_k(2, 2, self.channels)
        self.UNet_img = code.Dense_Unet_img(1, 1, self.channels)
        self.inverse = _published_inverse

    def use_published_fft(self) -> None:
        """Join the stages as published, to time them."""
        self.inverse = _published_inverse

    def use_centred_fft(self) -> None:
        """Join the stages by this bundle's FFT, which is centred and orthonormal, to compare outputs."""
        self.inverse = magnitude_image

    def forward(self, image: Tensor) -> MANetOutput | Tensor:
        """``(b, 4, h, w)``, as this bundle's networks; in training mode what its loss looks at, else the T2 image."""
        t1_kspace, t2_kspace = self.UNet_k(image[:, 0:2], image[:, 2:4])
        t1_image, t2_image = self.UNet_img(self.inverse(t1_kspace), self.inverse(t2_kspace))
        return MANetOutput(t1_kspace, t2_kspace, t1_image, t2_image) if self.training else t2_image

    def own_state_dict(self) -> dict[str, Tensor]:
        """Its weights under the names of :class:`~bundle.networks.MANet`."""
        return convert_reference_state_dict(self.state_dict())

    def loss(self, output: MANetOutput, full_kspace: Tensor) -> Tensor:
        """0.1 T1 + 0.9 T2 in both domains, unweighted sum (module_MANet.py)."""
        t1_kspace, t2_kspace = full_kspace[:, 0:2], full_kspace[:, 2:4]
        kspace = 0.1 * F.l1_loss(output.t1_kspace, t1_kspace) + 0.9 * F.l1_loss(output.t2_kspace, t2_kspace)
        t1_image = F.l1_loss(output.t1_image, self.inverse(t1_kspace))
        return kspace + 0.1 * t1_image + 0.9 * F.l1_loss(output.t2_image, self.inverse(t2_kspace))

    def optimizer(self) -> torch.optim.Optimizer:
        """RMSprop, 0.001."""
        return torch.optim.RMSprop(self.parameters(), lr=0.001, weight_decay=0.0)


class FastMRIUNet(nn.Module):
    """fastMRI's U-Net as the paper's UNet-T2: 32 features, 4 poolings, on the zero-filled T2 image."""

    label = "fastMRI's U-Net"
    channels = 32

    def __init__(self, code: ModuleType) -> None:
        super().__init__()
        self.unet = code.Unet(1, 1, self.channels, 4)

    def forward(self, image: Tensor) -> Tensor:
        """``(b, 4, h, w)`` to ``(b, 1, h, w)``; fastMRI normalises each slice in its data pipeline."""
        zero_filled = t2_magnitude(image)
        std, mean = torch.std_mean(zero_filled, dim=(-2, -1), keepdim=True)
        return self.unet((zero_filled - mean) / (std + 1e-11)) * (std + 1e-11) + mean

    def own_state_dict(self) -> dict[str, Tensor]:
        """Its weights under the names of :class:`~bundle.networks.UNetT2`, whose upsamplings precede its decoder."""
        order = ("down_sample_layers", "conv", "up_transpose_conv", "up_conv")
        weights = self.unet.state_dict()
        values = [value for part in order for name, value in weights.items() if name.partition(".")[0] == part]
        return dict(zip(UNetT2(self.channels).state_dict(), values))

    def loss(self, output: Tensor, full_kspace: Tensor) -> Tensor:
        """L1 of the image, as in fastMRI's UnetModule."""
        return F.l1_loss(output, magnitude_image(full_kspace[:, 2:4]))

    def optimizer(self) -> torch.optim.Optimizer:
        """RMSprop, 0.001, as in fastMRI's UnetModule."""
        return torch.optim.RMSprop(self.parameters(), lr=0.001, weight_decay=0.0)


def load_peer(checkout: Path) -> PublishedMANet | FastMRIUNet:
    """The peer's network, from its checkout.

    Raises:
        BundleError: the folder is no checkout of a peer that is known.
    """
    for file, peer in ((MANET_FILE, PublishedMANet), (FASTMRI_FILE, FastMRIUNet)):
        if (checkout / file).is_file():
            return peer(_execute(checkout / file))
    raise BundleError(
        f"{checkout} holds neither {MANET_FILE} nor {FASTMRI_FILE}; --peer takes a checkout of chunmeifeng/MANet or of "
        "facebookresearch/fastMRI."
    )


def _execute(file: Path) -> ModuleType:
    """Run one file of a peer by itself: its package's __init__ wants libraries that the network does not need."""
    spec = importlib.util.spec_from_file_location(f"peer_{file.stem}", file)
    assert spec is not None and spec.loader is not None  # of a file that is there and ends in .py
    code = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(code)
    return code


def _published_inverse(kspace: Tensor) -> Tensor:
    """``(b, 2, h, w)`` to ``(b, 1, h, w)``, as ``inverseFT``: neither centred nor orthonormal."""
    image = torch.view_as_real(torch.fft.ifft2(torch.view_as_complex(kspace.permute(0, 2, 3, 1).contiguous())))
    return torch.sqrt(image[:, :, :, 0] ** 2 + image[:, :, :, 1] ** 2)[:, None, :, :]
